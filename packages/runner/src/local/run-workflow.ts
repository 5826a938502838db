import { evaluateScalar, evaluateTree } from '../expressions/interpolate.ts';
import type { Scope } from '../expressions/scope.ts';
import type { ValueMap } from '../expressions/values.ts';
import { type CallLevel, WorkflowCalls, type WorkflowSources } from '../graph/called-workflow.ts';
import { expandMatrix } from '../graph/expand-matrix.ts';
import { orderJobs } from '../graph/order-jobs.ts';
import { type GraphInstances, mergeResults, type NeedsContext, runGraph } from '../graph/run-graph.ts';
import { Slots } from '../graph/slots.ts';
import { type FinishedJob, type JobRuntime, runJob } from '../job/run-job.ts';
import type { ContainerPolicy } from '../plan/admin-policy.ts';
import { isTrue, jobName, jobScope, planJob, type PlanInput, whySkipped } from '../plan/plan-job.ts';
import type { ActionSource } from '../plan/job-actions.ts';
import type { PlannedJob } from '../plan/planned-job.ts';
import type { JobReport, JobResult } from '../report/job-report.ts';
import { outcomeOfError } from '../steps/step-result.ts';
import type { NeededJob, Task } from '../task/task.ts';
import { quoted, UserError } from '../user-error.ts';
import type { Job, Workflow, WorkflowCall } from '../workflow/model.ts';
import type { YamlScalar } from '../workflow/yaml-node.ts';
import { traced } from '../trace.ts';
import { openCall } from './open-call.ts';

/** What is the same for every job of a local run: the server's part. */
export interface RunSettings {
  /** The `github` context without what belongs to a single job. */
  readonly github: ValueMap;
  readonly inputs: ValueMap;
  readonly secrets: ReadonlyMap<string, string>;
  readonly vars: ReadonlyMap<string, string>;
  readonly labels: PlanInput['labels'];
  readonly maxTimeoutMs: number;
  readonly policy: ContainerPolicy;
  readonly actions?: ActionSource;
  /** How many jobs run at once. */
  readonly maxJobs: number;
  readonly runtime: Omit<JobRuntime, 'report' | 'signal'>;
  readonly signal: AbortSignal;
  /** Plan everything and run nothing. */
  readonly isDryRun: boolean;
  /** Where workflows come from that jobs call; without it such jobs fail. */
  readonly workflows?: WorkflowSources;
  /** A job of a called workflow has the ids and names of its callers before its own: `caller/job`, `Caller / Job`. */
  readonly openReport: (job: { readonly id: string; readonly name: string }) => LocalJobReport;
}

/** Settings of one workflow of the run: the one that the event started, or one that a job calls. */
interface LevelSettings extends RunSettings {
  readonly calls: WorkflowCalls;
  readonly level: CallLevel;
  /** Id and name of the calling job, for the reports of its jobs. */
  readonly caller?: { readonly id: string; readonly name: string };
  /** Shared by all levels. */
  readonly slots: Slots;
}

/** Where a job of a local run reports to, and is told how it ended. */
export interface LocalJobReport extends JobReport {
  readonly finished: (ended: FinishedJob, durationMs: number) => void;
}

/**
 * Runs a workflow, or one of its jobs with those that it needs, in the order of their needs.
 *
 * @returns results by job id.
 * @throws UserError `FRR304` where the jobs do not fit together.
 */
export async function runWorkflow(
  workflow: Workflow,
  only: string | undefined,
  settings: RunSettings,
): Promise<ReadonlyMap<string, NeededJob>> {
  const calls = new WorkflowCalls(settings.workflows);
  const slots = new Slots(settings.maxJobs);
  return runJobs(workflow, only, { ...settings, calls, slots, level: calls.top(workflow) });
}

async function runJobs(
  workflow: Workflow,
  only: string | undefined,
  settings: LevelSettings,
): Promise<ReadonlyMap<string, NeededJob>> {
  const jobs = neededBy(orderJobs(workflow.jobs).flat(), only);
  return runGraph(
    jobs.map((job) => ({
      id: job.id,
      needs: job.needs.map(({ id }) => id),
      expand: (context) => expandJob(workflow, job, context, settings),
    })),
    { slots: settings.slots, signal: settings.signal },
  );
}

/** The jobs that have to run for one of them, in order. */
function neededBy(jobs: readonly Job[], only: string | undefined): readonly Job[] {
  if (only === undefined) return jobs;
  const wanted = new Set([only]);
  for (const job of jobs.toReversed()) {
    if (wanted.has(job.id)) for (const need of job.needs) wanted.add(need.id);
  }
  return jobs.filter(({ id }) => wanted.has(id));
}

async function expandJob(
  workflow: Workflow,
  job: Job,
  context: NeedsContext,
  settings: LevelSettings,
): Promise<GraphInstances> {
  const task: Task = {
    id: job.id,
    attempt: 1,
    workflow,
    job,
    matrix: new Map(),
    strategy: { failFast: true, maxParallel: 1, jobIndex: 0, jobTotal: 1 },
    github: new Map([...settings.github, ['job', job.id]]),
    inputs: settings.inputs,
    secrets: settings.secrets,
    vars: settings.vars,
    ...context,
  };
  const alone = (ended: EndedUnrun): GraphInstances => ({
    failFast: true,
    maxParallel: 1,
    instances: [{ run: () => endUnrun(openReport(job.id, job.id, settings), ended, settings) }],
  });
  try {
    // Before the matrix, as on GitHub: it may be made of outputs that a job which was skipped does not have.
    const because = await whySkipped(task);
    if (because !== undefined) return alone({ result: 'skipped', rows: [`Skipped: ${because}`] });
    return await expandStrategy(task, settings);
  } catch (error) {
    return alone({ result: 'failure', rows: errorRows(error) });
  }
}

async function expandStrategy(task: Task, settings: LevelSettings): Promise<GraphInstances> {
  const { matrix, failFast, maxParallel } = task.job.strategy ?? {};
  const scope = jobScope(task);
  const combinations = expandMatrix(matrix === undefined ? undefined : await evaluateTree(matrix, scope));
  const strategy = {
    failFast: failFast === undefined ? true : await isTrue(failFast, scope),
    maxParallel: await readMaxParallel(maxParallel, scope, combinations.length),
    jobTotal: combinations.length,
  };
  return {
    ...strategy,
    instances: combinations.map((combination, jobIndex) => {
      const id = combinations.length === 1 ? task.job.id : `${task.job.id}-${jobIndex + 1}`;
      const instance: Task = { ...task, id, matrix: combination, strategy: { ...strategy, jobIndex } };
      const { call } = task.job;
      if (call === undefined) return { run: (signal) => runInstance(instance, settings, signal) };
      return { isGraph: true, run: (signal) => runCall(instance, call, settings, signal) };
    }),
  };
}

async function runInstance(task: Task, settings: LevelSettings, signal: AbortSignal): Promise<FinishedJob> {
  const startedAt = Date.now();
  const name = await jobName(task, jobScope(task)).catch(() => task.job.id);
  const report = openReport(task.id, name, settings);
  if (signal.aborted) return endUnrun(report, { result: 'cancelled', rows: ['Cancelled before it started'] }, settings);
  try {
    const { driver } = settings.runtime;
    const plan = await planJob(task, {
      ...settings,
      ...(driver === undefined ? {} : { driverFields: driver.fields }),
      signal,
    });
    if (plan.kind === 'skip')
      return await endUnrun(report, { result: 'skipped', rows: [`Skipped: ${plan.because}`] }, settings);
    if (settings.isDryRun) return await endUnrun(report, { result: 'success', rows: plannedRows(plan.job) }, settings);
    const { workflow, job } = task;
    const attributes = { workflow: settings.runtime.masker.mask(workflow.name ?? workflow.file), job: job.id };
    const finished = await traced('job', attributes, async (span) => {
      const ended = await runJob(plan.job, { ...settings.runtime, report, signal });
      span.setAttribute('result', ended.result);
      return ended;
    });
    report.finished(finished, Date.now() - startedAt);
    return finished;
  } catch (error) {
    // The look for actions ends with the job.
    if (signal.aborted)
      return endUnrun(report, { result: 'cancelled', rows: ['Cancelled before it started'] }, settings);
    return endUnrun(report, { result: 'failure', rows: errorRows(error) }, settings);
  }
}

/** Runs the jobs of a called workflow. The call itself reports only what its jobs cannot: why there are none. */
async function runCall(
  task: Task,
  call: WorkflowCall,
  settings: LevelSettings,
  signal: AbortSignal,
): Promise<FinishedJob> {
  const { masker } = settings.runtime;
  const name = await jobName(task, jobScope(task)).catch(() => task.job.id);
  const end = (result: JobResult, rows: readonly string[]): Promise<FinishedJob> =>
    endUnrun(openReport(task.id, name, settings), { result, rows }, settings);
  if (signal.aborted) return end('cancelled', ['Cancelled before it started']);
  try {
    const { workflow, outputs, ...seen } = await openCall(task, call, { ...settings, masker }, signal);
    const caller = { id: reportId(task.id, settings), name: reportName(name, settings) };
    const jobs = await runJobs(workflow, undefined, { ...settings, ...seen, caller, signal });
    const result = mergeResults([...jobs.values()].map((job) => job.result));
    const { values, warnings } = await outputs(jobs);
    if (warnings.length > 0)
      await end(
        result,
        warnings.map((warning) => `##[warning]${warning}`),
      );
    return { result, outputs: values };
  } catch (error) {
    return signal.aborted ? end('cancelled', ['Cancelled before it started']) : end('failure', errorRows(error));
  }
}

function openReport(id: string, name: string, settings: LevelSettings): LocalJobReport {
  const shown = settings.runtime.masker.mask(reportName(name, settings));
  return settings.openReport({ id: reportId(id, settings), name: shown });
}

function reportId(id: string, { caller }: LevelSettings): string {
  return caller === undefined ? id : `${caller.id}/${id}`;
}

function reportName(name: string, { caller }: LevelSettings): string {
  return caller === undefined ? name : `${caller.name} / ${name}`;
}

interface EndedUnrun {
  readonly result: JobResult;
  readonly rows: readonly string[];
}

/** Ends a job that never got an environment. */
async function endUnrun(report: LocalJobReport, ended: EndedUnrun, settings: LevelSettings): Promise<FinishedJob> {
  const { masker } = settings.runtime;
  const atMs = Date.now();
  await report.rows(
    { kind: 'set-up' },
    ended.rows.map((text) => ({ atMs, text: masker.mask(text) })),
  );
  const finished = { result: ended.result, outputs: new Map() };
  report.finished(finished, 0);
  return finished;
}

function errorRows(error: unknown): readonly string[] {
  return outcomeOfError(error).because.map((line) => `##[error]${line}`);
}

function plannedRows(job: PlannedJob): readonly string[] {
  const { label, steps } = job;
  const count = steps.length === 1 ? '1 step' : `${steps.length} steps`;
  return [`Would run on label "${label.configuration.name}" (${label.resolved.canonical}): ${count}`];
}

async function readMaxParallel(node: YamlScalar | undefined, scope: Scope, otherwise: number): Promise<number> {
  if (node === undefined) return otherwise;
  const value = await evaluateScalar(node, scope);
  if (value === null || value === '') return otherwise;
  const number = Number(value);
  if (Number.isInteger(number) && number > 0) return number;
  throw new UserError('FRR503', {
    problems: [
      { at: node.at, message: `expected max-parallel to be a whole number above 0, found ${quoted(node.source)}` },
    ],
  });
}
