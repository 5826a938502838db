import { planJob, jobName, type PlanInput } from '../plan/plan-job.ts';
import { forgejoContexts } from '../contexts/forgejo-context.ts';
import { plainContexts } from '../contexts/plain-contexts.ts';
import { evaluateScalar, evaluateTree } from '../expressions/interpolate.ts';
import type { Scope } from '../expressions/scope.ts';
import type { Value, ValueMap } from '../expressions/values.ts';
import { expandMatrix } from '../graph/expand-matrix.ts';
import { orderJobs } from '../graph/order-jobs.ts';
import { type GraphInstances, type InstanceResult, type NeedsContext, runGraph } from '../graph/run-graph.ts';
import { type FinishedJob, type JobRuntime, runJob } from '../job/run-job.ts';
import { isTrue } from '../plan/plan-job.ts';
import type { PlannedJob } from '../plan/planned-job.ts';
import type { JobReport, JobResult } from '../report/job-report.ts';
import { outcomeOfError } from '../steps/step-result.ts';
import type { NeededJob, Task } from '../task/task.ts';
import type { Job, Workflow } from '../workflow/model.ts';

/** What is the same for every job of a local run: the server's part. */
export interface RunSettings {
  /** The `github` context without what belongs to a single job. */
  readonly github: ValueMap;
  readonly inputs: ValueMap;
  readonly secrets: ReadonlyMap<string, string>;
  readonly vars: ReadonlyMap<string, string>;
  readonly labels: PlanInput['labels'];
  readonly maxTimeoutMs: number;
  /** How many jobs run at once. */
  readonly maxJobs: number;
  readonly runtime: Omit<JobRuntime, 'report' | 'signal'>;
  readonly signal: AbortSignal;
  /** Plan everything and run nothing. */
  readonly isDryRun: boolean;
  readonly openReport: (job: { readonly id: string; readonly name: string }) => LocalJobReport;
}

/** Where a job of a local run reports to, and is told how it ended. */
export interface LocalJobReport extends JobReport {
  readonly finished: (result: JobResult, durationMs: number) => void;
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
  const jobs = neededBy(orderJobs(workflow.jobs).flat(), only);
  return runGraph(
    jobs.map((job) => ({
      id: job.id,
      needs: job.needs.map(({ id }) => id),
      expand: (context) => expandJob(workflow, job, context, settings),
    })),
    { maxJobs: settings.maxJobs, signal: settings.signal },
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
  settings: RunSettings,
): Promise<GraphInstances> {
  const base: Task = {
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
  try {
    const scope = taskScope(base);
    const matrix = job.strategy?.matrix === undefined ? undefined : await evaluateTree(job.strategy.matrix, scope);
    const combinations = expandMatrix(matrix);
    const failFast = job.strategy?.failFast === undefined ? true : await isTrue(job.strategy.failFast, scope);
    const maxParallel = await positive(job.strategy?.maxParallel, scope, combinations.length);
    return {
      failFast,
      maxParallel,
      instances: combinations.map((combination, jobIndex) => {
        const strategy = { failFast, maxParallel, jobIndex, jobTotal: combinations.length };
        const id = combinations.length === 1 ? job.id : `${job.id}-${jobIndex + 1}`;
        const task: Task = { ...base, id, matrix: combination, strategy };
        return { run: (signal) => runInstance(task, settings, signal) };
      }),
    };
  } catch (error) {
    const run = (): Promise<InstanceResult> =>
      endUnrun(
        settings.openReport({ id: job.id, name: job.id }),
        { result: 'failure', rows: errorRows(error) },
        settings,
      );
    return { failFast: true, maxParallel: 1, instances: [{ run }] };
  }
}

async function runInstance(task: Task, settings: RunSettings, signal: AbortSignal): Promise<FinishedJob> {
  const startedAt = Date.now();
  const name = await jobName(task, taskScope(task)).catch(() => task.job.id);
  const report = settings.openReport({ id: task.id, name: settings.runtime.masker.mask(name) });
  try {
    const plan = await planJob(task, {
      labels: settings.labels,
      maxTimeoutMs: settings.maxTimeoutMs,
      isRunCancelled: signal.aborted,
    });
    if (plan.kind === 'skip')
      return await endUnrun(report, { result: 'skipped', rows: [`Skipped: ${plan.because}`] }, settings);
    if (settings.isDryRun) return await endUnrun(report, { result: 'success', rows: plannedRows(plan.job) }, settings);
    const finished = await runJob(plan.job, { ...settings.runtime, report, signal });
    report.finished(finished.result, Date.now() - startedAt);
    return finished;
  } catch (error) {
    return endUnrun(report, { result: 'failure', rows: errorRows(error) }, settings);
  }
}

/** Ends a job that never got an environment. */
async function endUnrun(
  report: LocalJobReport,
  ended: { readonly result: JobResult; readonly rows: readonly string[] },
  settings: RunSettings,
): Promise<FinishedJob> {
  const { masker } = settings.runtime;
  const atMs = Date.now();
  await report.rows(
    { kind: 'set-up' },
    ended.rows.map((text) => ({ atMs, text: masker.mask(text) })),
  );
  report.finished(ended.result, 0);
  return { result: ended.result, outputs: new Map() };
}

function errorRows(error: unknown): readonly string[] {
  return outcomeOfError(error).because.map((line) => `##[error]${line}`);
}

function plannedRows(job: PlannedJob): readonly string[] {
  const { label, steps } = job;
  return [`Would run on label "${label.configuration.name}" (${label.resolved.canonical}): ${steps.length} steps`];
}

function taskScope(task: Task): Scope {
  return { contexts: new Map([...forgejoContexts(task.github, {}), ...plainContexts(task)]), functions: new Map() };
}

async function positive(
  node: Parameters<typeof evaluateScalar>[0] | undefined,
  scope: Scope,
  otherwise: number,
): Promise<number> {
  if (node === undefined) return otherwise;
  const value: Value = await evaluateScalar(node, scope);
  const number = Number(value);
  return Number.isInteger(number) && number > 0 ? number : otherwise;
}
