import { checkReport, type FakeJob, type TaskResult } from '@forgejo-runner/testkit';

/** A job of which a test knows what must come of it. */
export interface KnownJob {
  readonly job: FakeJob;
  /** What it writes where nobody disturbs it. */
  readonly rows: readonly string[];
  readonly result: TaskResult;
  readonly outputs?: Readonly<Record<string, string>>;
}

const reason = '##[error]The runner was stopped while this job ran';

/**
 * What is wrong with a job that has ended: it may have failed because its runner was killed, and then has the rows up to
 * that moment; else it has all of them, and its own result.
 */
export function judgeJob({ job, rows, result, outputs = {} }: KnownJob, wasKilled: boolean): readonly string[] {
  const isStopped = job.texts().includes(reason);
  const wanted = new Set(rows);
  const own = job.texts().filter((text) => wanted.has(text));
  const problems = [...checkReport(job, { rows: isStopped ? own : rows })];
  if (!isStopped) {
    if (job.status() !== result) problems.push(`expected ${result}, found ${job.status()}`);
    if (JSON.stringify(job.outputs()) !== JSON.stringify(outputs)) {
      problems.push(`expected outputs ${JSON.stringify(outputs)}, found ${JSON.stringify(job.outputs())}`);
    }
    return problems;
  }
  if (!wasKilled) problems.push('it says that its runner was stopped, which was not');
  if (job.status() !== 'failure') problems.push(`its runner was stopped, and it is ${job.status()}`);
  const gap = own.findIndex((text, index) => text !== rows[index]);
  if (gap >= 0) problems.push(`row ${gap} is ${own[gap]} in place of ${rows[gap]}`);
  return problems;
}
