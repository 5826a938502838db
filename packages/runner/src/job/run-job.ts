import type { ContainerSpec, DockerDriver, Logger, Owner } from '@forgejo-runner/core';
import { eventFile } from '../environment/event-file.ts';
import type { OpenJobServices } from '../environment/job-services.ts';
import { eventPath } from '../environment/job-paths.ts';
import { type OpenEnvironment, openEnvironment } from '../environment/open-environment.ts';
import type { RunnerFacts } from '../environment/runner-facts.ts';
import { writeFiles } from '../environment/target-files.ts';
import type { Value } from '../expressions/values.ts';
import { openStepLog, type StepLog } from '../log/log-pipeline.ts';
import type { Masker } from '../log/masker.ts';
import { ProblemMatchers } from '../log/problem-matchers.ts';
import type { PlannedJob } from '../plan/planned-job.ts';
import type { JobReport, JobResult } from '../report/job-report.ts';
import { ActionMemories } from '../steps/action-memory.ts';
import { NodeProbe } from '../steps/actions/find-node.ts';
import { withoutCredentials } from '../steps/actions/action-reference.ts';
import { ShellProbe } from '../steps/find-shell.ts';
import type { Frame } from '../steps/frame.ts';
import { runPostSteps, runPreSteps } from '../steps/run-stage.ts';
import { runStep } from '../steps/run-step.ts';
import { noCommands } from '../steps/step-commands.ts';
import { outcomeOfError } from '../steps/step-result.ts';
import { listScope } from '../steps/step-scope.ts';
import { type JobSignals, openJobSignals } from './job-limits.ts';
import { jobOutputs } from './job-outputs.ts';
import type { JobRun } from './job-run.ts';
import { JobState } from './job-state.ts';

/** What a running job needs from the runner around it. */
export interface JobRuntime {
  readonly owner: Owner;
  /** Makes containers at endpoints that environments hand out; absent where this runner has none. */
  readonly driver?: DockerDriver;
  readonly log: Logger;
  readonly report: JobReport;
  readonly masker: Masker;
  readonly runner: RunnerFacts;
  /** Cancels the job. */
  readonly signal: AbortSignal;
  /** Time after a cancellation, in milliseconds. */
  readonly graceMs: number;
  /** Ends the grace time at once: somebody cannot wait. */
  readonly hurry?: AbortSignal;
  /** Puts into the workspace what a local run brings along in place of a checkout. */
  readonly fillWorkspace?: (place: OpenEnvironment, signal: AbortSignal) => Promise<void>;
  /** Cache, artifacts and the like; jobs have none without it. */
  readonly services?: OpenJobServices;
}

/** How a job ended, and what it hands to the jobs that need it. */
export interface FinishedJob {
  /** After `continue-on-error` of the job. */
  readonly result: JobResult;
  readonly outputs: ReadonlyMap<string, Value>;
}

/** Runs a planned job to its end. Never rejects: an environment that could not be made is a failed job. */
export async function runJob(planned: PlannedJob, runtime: JobRuntime): Promise<FinishedJob> {
  using signals = openJobSignals({ ...runtime, timeoutMs: planned.timeoutMs });
  const setUp = sectionLog(runtime, 'set-up');
  maskPasswords(planned, runtime.masker);
  try {
    await introduce(planned, setUp);
    await using place = await openEnvironment(planned, { ...runtime, progress: setUp.stdout }, signals.cancel);
    await writeEvent(planned, place, signals);
    await runtime.fillWorkspace?.(place, signals.cancel);
    await using services = await runtime.services?.(planned, place, signals.cancel);
    for (const secret of services?.secrets ?? []) runtime.masker.add(secret);
    for (const notice of services?.notices ?? []) await setUp.line(`##[warning]${notice}`);
    await setUp.close();
    const runner = services === undefined ? runtime.runner : { ...runtime.runner, services: services.variables };
    return await runSteps(planned, place, { ...runtime, runner }, signals);
  } catch (error) {
    return await endEarly(planned, error, setUp, signals);
  }
}

/** Passwords of registries are secrets, wherever a workflow has them from; names of users are words like any other. */
function maskPasswords({ containers }: PlannedJob, masker: Masker): void {
  for (const { credentials } of [
    containers.jobContainer ?? {},
    ...containers.services,
  ] as readonly Partial<ContainerSpec>[]) {
    if (credentials !== undefined) masker.add(credentials.password);
  }
}

/** Ends a job whose steps never ran. */
async function endEarly(
  planned: PlannedJob,
  error: unknown,
  setUp: StepLog,
  signals: JobSignals,
): Promise<FinishedJob> {
  const reason = signals.reason();
  // What a backend says about being told to stop is no news beside the reason.
  const { outcome, because } = outcomeOfError(error);
  const rows = outcome === 'cancelled' || reason?.kind === 'cancelled' ? [] : because;
  for (const line of [...(reason === undefined ? [] : [reason.text]), ...rows]) await setUp.line(`##[error]${line}`);
  const result = reason === undefined ? await forgiven('failure', planned, setUp) : 'cancelled';
  await setUp.close();
  return { result, outputs: new Map() };
}

async function runSteps(
  planned: PlannedJob,
  place: OpenEnvironment,
  runtime: JobRuntime,
  signals: JobSignals,
): Promise<FinishedJob> {
  const state = new JobState(planned.env, () => signals.cancel.aborted);
  const job: JobRun = {
    planned,
    place,
    state,
    signals,
    report: runtime.report,
    masker: runtime.masker,
    matchers: new ProblemMatchers(),
    runner: runtime.runner,
    shells: new ShellProbe(),
    nodes: new NodeProbe(),
    actions: new ActionMemories(),
    eventPath: eventPath(place.info),
  };
  const frame: Frame = {
    records: new Map(),
    status: () => state.status,
    concluded: (conclusion) => {
      if (conclusion === 'failure') state.fail();
    },
  };
  await runPreSteps(planned.steps, frame, job);
  for (const step of planned.steps) await runStep(step, frame, job);
  await runPostSteps(frame, job);
  return complete(frame, job, runtime);
}

async function complete(frame: Frame, job: JobRun, runtime: JobRuntime): Promise<FinishedJob> {
  const log = sectionLog(runtime, 'complete');
  const reason = job.signals.reason();
  if (reason !== undefined) await log.line(`##[error]${reason.text}`);
  const scope = listScope(frame, job, job.signals.grace);
  const outputs = await jobOutputs(job.planned.task.job, scope, (text) => job.masker.mask(text) !== text);
  for (const warning of outputs.warnings) await log.line(`##[warning]${warning}`);
  const result = await forgiven(job.state.status, job.planned, log);
  await log.close();
  return { result, outputs: outputs.values };
}

/** The result of a job after its `continue-on-error`. */
async function forgiven(result: JobResult, planned: PlannedJob, log: StepLog): Promise<JobResult> {
  if (result !== 'failure' || !planned.continueOnError) return result;
  await log.line('The job failed, and continue-on-error lets the run go on');
  return 'success';
}

/** First rows of a job log: what runs where, and what the author should know. */
async function introduce(planned: PlannedJob, log: StepLog): Promise<void> {
  const { configuration, resolved } = planned.label;
  await log.line(`Job "${planned.name}" on label "${configuration.name}" (${resolved.canonical})`);
  for (const { uses, repository } of await planned.actions.list())
    await log.line(`Action ${withoutCredentials(uses)} is ${repository.sha} of ${repository.url}`);
  for (const { at, message } of planned.notices) await log.line(`${at.file}:${at.line}:${at.column}: ${message}`);
}

async function writeEvent(planned: PlannedJob, place: OpenEnvironment, signals: JobSignals): Promise<void> {
  using ctx = place.call(signals.cancel, 60_000);
  const event = planned.task.github.get('event') ?? new Map();
  await writeFiles(place.target, place.info.paths.runner, [eventFile(event)], ctx);
}

function sectionLog(runtime: JobRuntime, kind: 'set-up' | 'complete'): StepLog {
  return openStepLog({
    section: { kind },
    masker: runtime.masker,
    report: runtime.report,
    commands: noCommands,
    isDebug: runtime.runner.debug,
  });
}
