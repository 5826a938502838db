import { readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { SpooledRow } from '../log/log-spool-blocks.ts';
import { readSpool } from '../log/log-spool-reader.ts';
import { type JobFile, jobLogName, readJobFile } from './job-file.ts';
import type { JobResult } from './job-report.ts';

/** A job of this runner, as it is listed. */
export interface PastJob {
  /** Name of its folder. */
  readonly id: string;
  readonly taskId: string;
  readonly connection: string;
  readonly repository: string;
  readonly workflow: string;
  readonly job: string;
  readonly backend: string;
  /** Missing while it runs. */
  readonly result?: JobResult;
  /** Whether the instance has the result; `pending` while it runs or cannot be reported. */
  readonly delivery: 'pending' | 'delivered' | 'refused' | 'given-up';
  readonly startedAtMs: number;
  readonly stoppedAtMs?: number;
  /** Missing while it runs: they are counted at its end. */
  readonly rows?: number;
  /** Size of its log on the disk. */
  readonly bytes: number;
}

/** Jobs in a folder of jobs, those that started last first. What is no job is passed over. */
export async function listJobs(folder: string): Promise<readonly PastJob[]> {
  const jobs: PastJob[] = [];
  for (const id of await readdir(folder).catch(() => [])) {
    const file = await readJobFile(join(folder, id));
    if (file !== undefined) jobs.push(await pastJob(join(folder, id), id, file));
  }
  return jobs.toSorted((a, b) => b.startedAtMs - a.startedAtMs || (a.id < b.id ? 1 : -1));
}

async function pastJob(path: string, id: string, file: JobFile): Promise<PastJob> {
  const { taskId, connection, repository, workflow, job, backend, startedAtMs, ended, rows } = file;
  const log = await stat(join(path, jobLogName)).catch(() => undefined);
  return {
    id,
    taskId,
    connection,
    repository,
    workflow,
    job,
    backend,
    ...(ended === undefined ? {} : { result: ended.result, stoppedAtMs: ended.stoppedAtMs, rows }),
    delivery: file.delivery ?? 'pending',
    startedAtMs,
    // While it runs, what the file of the job says is older than the log.
    bytes: log?.size ?? file.bytes,
  };
}

/** Which log, and how much of it. */
export interface JobLogQuery {
  /** Folder of the job. */
  readonly folder: string;
  /** Only rows of this step, from 0, with its pre and post stages. */
  readonly step?: number;
  /** Asked when all rows were read while the job runs; goes on when it resolves. Without it reading ends there. */
  readonly wait?: () => Promise<void>;
}

/** The log of a job in batches. With `wait` it follows a job that runs until that has ended, or its folder is gone. */
export async function* readJobLog({ folder, step, wait }: JobLogQuery): AsyncGenerator<readonly SpooledRow[]> {
  let hasEnded = false;
  const waitForMore = async (): Promise<boolean> => {
    if (wait === undefined || hasEnded) return false;
    const file = await readJobFile(folder);
    if (file === undefined) return false;
    hasEnded = file.ended !== undefined;
    // Rows that came just before the end are read once more.
    if (!hasEnded) await wait();
    return true;
  };
  for await (const rows of readSpool({ path: join(folder, jobLogName), waitForMore })) {
    const wanted = step === undefined ? rows : rows.filter((row) => isOf(row, step));
    if (wanted.length > 0) yield wanted;
  }
}

function isOf({ section }: SpooledRow, step: number): boolean {
  return section.kind === 'step' && section.index === step;
}

/** How much of the past is kept. */
export interface HistoryLimits {
  readonly jobs: number;
  readonly ageMs: number;
  /** Of all logs together. */
  readonly bytes: number;
}

/** What a runner keeps where nobody set limits. */
const defaultLimits: HistoryLimits = {
  jobs: 1000,
  ageMs: 14 * 24 * 60 * 60_000,
  bytes: 4 * 1024 ** 3,
};

/**
 * Removes the oldest jobs beyond the limits. A job that runs or is not reported yet counts, but stays. Folders that hold no
 * job that can be read go when they are old. @returns ids of what was removed.
 */
export async function pruneJobs(
  folder: string,
  now: number,
  limits: HistoryLimits = defaultLimits,
): Promise<readonly string[]> {
  const jobs = await listJobs(folder);
  const removed: string[] = [];
  let [count, bytes] = [0, 0];
  for (const job of jobs) {
    count += 1;
    bytes += job.bytes;
    const isOld = now - (job.stoppedAtMs ?? job.startedAtMs) > limits.ageMs;
    if (job.delivery === 'pending' || !(isOld || count > limits.jobs || bytes > limits.bytes)) continue;
    bytes -= job.bytes;
    count -= 1;
    if (await remove(folder, job.id)) removed.push(job.id);
  }
  const known = new Set(jobs.map(({ id }) => id));
  for (const id of await readdir(folder).catch(() => [])) {
    if (known.has(id)) continue;
    const found = await stat(join(folder, id)).catch(() => undefined);
    const isOldFolder = found?.isDirectory() === true && now - found.mtimeMs > limits.ageMs;
    if (isOldFolder && (await remove(folder, id))) removed.push(id);
  }
  return removed;
}

/** What cannot be removed now is tried again the next time. */
async function remove(folder: string, id: string): Promise<boolean> {
  return rm(join(folder, id), { recursive: true, force: true }).then(
    () => true,
    () => false,
  );
}
