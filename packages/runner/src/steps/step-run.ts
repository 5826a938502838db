import type { CallContext } from '@forgejo-runner/core';
import { forgejoContexts } from '../contexts/forgejo-context.ts';
import { jobContext } from '../contexts/job-context.ts';
import { runnerContext } from '../contexts/runner-context.ts';
import { statusFunctions } from '../contexts/status-functions.ts';
import { stepsContext } from '../contexts/steps-context.ts';
import { stepFolder } from '../environment/job-paths.ts';
import { hashFilesFunction } from '../environment/workspace-files.ts';
import type { Scope } from '../expressions/scope.ts';
import type { Value, ValueMap } from '../expressions/values.ts';
import type { JobRun } from '../job/job-run.ts';
import type { StepLog } from '../log/log-pipeline.ts';
import type { Step } from '../workflow/model.ts';
import { commandFilePaths } from './command-file-paths.ts';
import type { Frame } from './frame.ts';

/** One step on its way: what it belongs to, and what it has come to so far. */
export interface StepRun {
  readonly step: Step;
  readonly frame: Frame;
  readonly job: JobRun;
  /** Unique in the job, and safe as the name of a folder. */
  readonly key: string;
  readonly log: StepLog;
  /** Ends the step: cancellation, time limits, or the end of the grace time. */
  readonly signal: AbortSignal;
  /** `env:` of the step, evaluated. */
  readonly env: ReadonlyMap<string, string>;
  readonly outputs: Map<string, string>;
  /** What the step wants to find again in its post step. */
  readonly state: Map<string, string>;
}

/** Key of a step: ids and positions never look alike, and a dot is in neither. */
export function stepKey(step: Step, frame: Frame): string {
  const own = step.id ?? String(step.index);
  return frame.action === undefined ? own : `${frame.action.key}.${own}`;
}

/** What the expressions of a step see. `env` is the step's own, as far as it is evaluated. */
export function stepScope(
  step: Step,
  frame: Frame,
  job: JobRun,
  env: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Scope {
  const github = forgejoContexts(job.planned.task.github, {
    action: step.id ?? String(step.index),
    paths: githubPaths(job, stepKey(step, frame)),
    ...(frame.action === undefined
      ? {}
      : {
          actionPath: frame.action.path,
          actionRef: frame.action.ref,
          actionRepository: frame.action.repository,
          actionStatus: frame.status(),
        }),
  });
  const contexts = new Map<string, Value>([
    ...job.planned.contexts,
    ...github,
    ['env', new Map([...job.state.env, ...(frame.action?.env ?? []), ...env])],
    ['job', jobContext(job.state.status, job.place.container, job.place.services)],
    ['runner', runnerContext(job.place.info, job.runner)],
    ['steps', stepsContext(frame.records)],
  ]);
  if (frame.action !== undefined) {
    contexts.set('inputs', frame.action.inputs);
    // An action gets the secrets that its caller hands in, and no others.
    contexts.delete('secrets');
  }
  const hashFiles = hashFilesFunction(job.place, signal);
  return { contexts, functions: new Map([...statusFunctions(frame.status()), ['hashfiles', hashFiles]]) };
}

/** The `github` context of a step, for the variables that stand for it. */
export function githubContext(scope: Scope): ValueMap {
  const github = scope.contexts.get('github');
  return github instanceof Map ? github : new Map();
}

/** A context for one call into the environment of the step's job. Dispose it after the call. */
export function openStepCall(run: Pick<StepRun, 'job' | 'signal'>): CallContext & Disposable {
  return run.job.place.call(run.signal, run.job.planned.timeoutMs);
}

/** Paths in the `github` context that only the environment knows. */
function githubPaths(job: JobRun, key: string): ReadonlyMap<string, string> {
  const { info } = job.place;
  return new Map([
    ['workspace', info.paths.workspace],
    ['event_path', job.eventPath],
    ...commandFilePaths(info, stepFolder(info, key)),
  ]);
}
