import { type Problem, quoted, UserError } from '../user-error.ts';
import { didYouMean } from '../workflow/read-shape.ts';
import type { Job } from '../workflow/model.ts';

/** How many cycles are told: one job that waits for all others can close thousands. */
const cyclesShown = 10;
/** How many jobs of one cycle are named. */
const namesShown = 12;

/** What ordering has to know of a job. */
export type NeedingJob = Pick<Job, 'id' | 'at' | 'needs'>;

/**
 * Jobs in stages: a job stands in the first stage in which all that it needs stands before. Within a stage they keep
 * the order of the file.
 *
 * @throws {UserError} `FRR304` that names every unknown job and every cycle, with places.
 */
export function orderJobs<T extends NeedingJob>(jobs: ReadonlyMap<string, T>): readonly (readonly T[])[] {
  const problems = needsProblems(jobs);
  if (problems.length > 0) throw new UserError('FRR304', { problems });
  const stages: T[][] = [];
  const done = new Set<string>();
  let waiting = [...jobs.values()];
  while (waiting.length > 0) {
    const stage = waiting.filter(({ needs }) => needs.every(({ id }) => done.has(id)));
    for (const { id } of stage) done.add(id);
    waiting = waiting.filter(({ id }) => !done.has(id));
    stages.push(stage);
  }
  return stages;
}

/** What is wrong with the `needs` of these jobs: unknown jobs, and cycles, each named once. */
export function needsProblems(jobs: ReadonlyMap<string, NeedingJob>): readonly Problem[] {
  const problems: Problem[] = [];
  for (const { id: job, needs } of jobs.values()) {
    for (const { id, at } of needs) {
      if (jobs.has(id)) continue;
      const hint = didYouMean(id, [...jobs.keys()]);
      problems.push({
        message: `expected a job of this workflow in "needs" of ${quoted(job)}, found ${quoted(id)}${hint}`,
        at,
      });
    }
  }
  return [...problems, ...findCycles(jobs)];
}

/** Follows `needs` from each job; a job that is met again on the way there closes a cycle. Keeps its own stack. */
function findCycles(jobs: ReadonlyMap<string, NeedingJob>): readonly Problem[] {
  const problems: Problem[] = [];
  const finished = new Set<string>();
  for (const start of jobs.values()) {
    const path: { readonly job: NeedingJob; next: number }[] = [];
    const onPath = new Set<string>();
    const enter = (job: NeedingJob): void => {
      path.push({ job, next: 0 });
      onPath.add(job.id);
    };
    if (!finished.has(start.id)) enter(start);
    for (let top = path.at(-1); top !== undefined && problems.length < cyclesShown; top = path.at(-1)) {
      const need = top.job.needs[top.next];
      top.next += 1;
      const needed = need === undefined ? undefined : jobs.get(need.id);
      if (need === undefined) {
        path.pop();
        onPath.delete(top.job.id);
        finished.add(top.job.id);
      } else if (needed !== undefined && onPath.has(needed.id)) {
        const ids = path.map(({ job }) => job.id);
        const cycle = cycleText([...ids.slice(ids.indexOf(needed.id)), needed.id]);
        problems.push({
          message: `expected jobs that do not wait for themselves, found the cycle ${cycle}`,
          at: need.at,
        });
      } else if (needed !== undefined && !finished.has(needed.id)) enter(needed);
    }
  }
  return problems;
}

function cycleText(ids: readonly string[]): string {
  if (ids.length <= namesShown) return ids.map(quoted).join(' → ');
  const start = ids.slice(0, namesShown - 2).map(quoted);
  return [...start, `${ids.length - namesShown + 1} more`, quoted(ids.at(-1) ?? '')].join(' → ');
}
