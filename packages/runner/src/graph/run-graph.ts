import type { NeededJob } from '../task/task.ts';
import type { JobResult } from '../report/job-report.ts';
import type { Value } from '../expressions/values.ts';
import { Slots } from './slots.ts';

/** One job of a workflow to be run in this process, with everything that its matrix expands to. */
export interface GraphJob {
  readonly id: string;
  readonly needs: readonly string[];
  /** Makes the instances of the job, once all that it needs is known. */
  readonly expand: (context: NeedsContext) => Promise<GraphInstances>;
}

/** What the jobs before one came to. */
export interface NeedsContext {
  /** Direct needs, by id. */
  readonly needs: ReadonlyMap<string, NeededJob>;
  /** Results of all jobs before, near and far. */
  readonly before: readonly JobResult[];
}

/** The instances of one job. */
export interface GraphInstances {
  readonly failFast: boolean;
  /** How many run at once. */
  readonly maxParallel: number;
  readonly instances: readonly GraphInstance[];
}

/**
 * One instance of a job. `signal` aborts when the run is cancelled, or another instance failed and the job fails fast.
 * One that did not start by then is called with a signal that aborted: it says so in its report and runs nothing.
 */
export interface GraphInstance {
  /** It runs nothing itself but a graph of its own, whose instances take their places from the same slots. */
  readonly isGraph?: boolean;
  readonly run: (signal: AbortSignal) => Promise<InstanceResult>;
}

/** How an instance ended. */
export interface InstanceResult {
  readonly result: JobResult;
  readonly outputs: ReadonlyMap<string, Value>;
}

/**
 * Runs jobs in the order of their needs, as many at once as there are slots. Never rejects for what a job does.
 *
 * @param jobs every job after the jobs that it needs.
 * @returns the results by job id; a matrix counts as failed when one instance failed.
 */
export async function runGraph(
  jobs: readonly GraphJob[],
  limits: { readonly slots: Slots; readonly signal: AbortSignal },
): Promise<ReadonlyMap<string, NeededJob>> {
  const running = new Map<string, Promise<NeededJob>>();
  const ancestors = ancestorsOf(jobs);
  for (const job of jobs) {
    const all = ancestors.get(job.id);
    const before = jobs.map(({ id }) => id).filter((id) => all?.has(id) === true);
    const start = async (): Promise<NeededJob> => {
      const finished = new Map<string, NeededJob>();
      for (const id of before) {
        const needed = await running.get(id);
        if (needed !== undefined) finished.set(id, needed);
      }
      const needs = new Map([...finished].filter(([id]) => job.needs.includes(id)));
      return runInstances(
        job,
        { needs, before: [...finished.values()].map(({ result }) => result) },
        limits.slots,
        limits.signal,
      );
    };
    running.set(job.id, start());
  }
  const results = new Map<string, NeededJob>();
  for (const [id, promise] of running) results.set(id, await promise);
  return results;
}

async function runInstances(
  job: GraphJob,
  context: NeedsContext,
  slots: Slots,
  signal: AbortSignal,
): Promise<NeededJob> {
  const { failFast, maxParallel, instances } = await job.expand(context);
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const own = new Slots(maxParallel);
  const results = await Promise.all(
    instances.map(async (instance) => {
      await using _parallel = await own.take();
      await using _slot = instance.isGraph === true ? undefined : await slots.take();
      const finished = await instance.run(either);
      if (finished.result === 'failure' && failFast) stop.abort();
      return finished;
    }),
  );
  const outputs = new Map<string, Value>();
  for (const result of results) for (const [name, value] of result.outputs) if (value !== '') outputs.set(name, value);
  return { result: mergeResults(results.map(({ result }) => result)), outputs };
}

/** The worst result of the instances; skipped only when all were. */
export function mergeResults(results: readonly JobResult[]): JobResult {
  if (results.includes('failure')) return 'failure';
  if (results.includes('cancelled')) return 'cancelled';
  return results.includes('success') ? 'success' : 'skipped';
}

function ancestorsOf(jobs: readonly GraphJob[]): ReadonlyMap<string, ReadonlySet<string>> {
  const ancestors = new Map<string, Set<string>>();
  for (const job of jobs) {
    const all = new Set<string>();
    for (const need of job.needs) {
      all.add(need);
      for (const further of ancestors.get(need) ?? []) all.add(further);
    }
    ancestors.set(job.id, all);
  }
  return ancestors;
}
