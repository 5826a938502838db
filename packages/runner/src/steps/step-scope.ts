import { forgejoContexts, type StepPart } from '../contexts/forgejo-context.ts';
import { jobContext } from '../contexts/job-context.ts';
import { runnerContext } from '../contexts/runner-context.ts';
import { statusFunctions } from '../contexts/status-functions.ts';
import { stepsContext } from '../contexts/steps-context.ts';
import { stepFolder } from '../environment/job-paths.ts';
import { hashFilesFunction } from '../environment/workspace-files.ts';
import type { Scope } from '../expressions/scope.ts';
import type { Value, ValueMap } from '../expressions/values.ts';
import type { JobRun } from '../job/job-run.ts';
import type { Step } from '../workflow/model.ts';
import { commandFilePaths } from './command-file-paths.ts';
import type { Frame } from './frame.ts';
import { stepKey } from './step-run.ts';

/** What the expressions of a step see. `env` is the step's own, as far as it is evaluated. */
export function stepScope(
  step: Step,
  frame: Frame,
  job: JobRun,
  env: ReadonlyMap<string, string>,
  signal: AbortSignal,
): Scope {
  const commandFiles = commandFilePaths(job.place.info, stepFolder(job.place.info, stepKey(step, frame)));
  return scopeOf({ frame, job, env, signal, part: { action: step.id ?? String(step.index) }, commandFiles });
}

/** What the outputs of a list of steps see, when all of them have ended. */
export function listScope(frame: Frame, job: JobRun, signal: AbortSignal): Scope {
  return scopeOf({ frame, job, env: new Map(), signal, part: {}, commandFiles: [] });
}

/** The `github` context of a step, for the variables that stand for it. */
export function githubContext(scope: Scope): ValueMap {
  const github = scope.contexts.get('github');
  return github instanceof Map ? github : new Map();
}

interface ScopeParts {
  readonly frame: Frame;
  readonly job: JobRun;
  readonly env: ReadonlyMap<string, string>;
  readonly signal: AbortSignal;
  readonly part: StepPart;
  readonly commandFiles: readonly [key: string, path: string][];
}

function scopeOf({ frame, job, env, signal, part, commandFiles }: ScopeParts): Scope {
  const { place, state } = job;
  const paths = new Map([['workspace', place.info.paths.workspace], ['event_path', job.eventPath], ...commandFiles]);
  const contexts = new Map<string, Value>([
    ...job.planned.contexts,
    ...forgejoContexts(job.planned.task.github, { ...part, ...actionPart(frame), paths }),
    ['env', new Map([...state.env, ...(frame.action?.env ?? []), ...env])],
    ['job', jobContext(state.status, place.container, place.services)],
    ['runner', runnerContext(place.info, job.runner)],
    ['steps', stepsContext(frame.records)],
  ]);
  if (frame.action !== undefined) {
    contexts.set('inputs', frame.action.inputs);
    // An action gets the secrets that its caller hands in, and no others.
    contexts.delete('secrets');
  }
  const hashFiles = hashFilesFunction(place, signal);
  return { contexts, functions: new Map([...statusFunctions(frame.status()), ['hashfiles', hashFiles]]) };
}

function actionPart({ action, status }: Frame): StepPart {
  if (action === undefined) return {};
  return {
    actionPath: action.path,
    actionRef: action.ref,
    actionRepository: action.repository,
    actionStatus: status(),
  };
}
