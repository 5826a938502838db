import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '@forgejo-runner/core';
import { LogSpool } from '../log/log-spool.ts';
import { closingRows } from './closing-rows.ts';
import { type Delivery, sendFinalReport } from './final-report.ts';
import { type JobEnd, type JobFile, jobLogName, readJobFile, writeJobFile } from './job-file.ts';
import { KeptSummaries } from './kept-summaries.ts';
import { LogSender } from './log-sender.ts';
import type { ReportChannel } from './report-channel.ts';
import type { ReportClock } from './report-clock.ts';
import { giveUpAfterMs, type ReportSettings } from './report-settings.ts';
import { StepSections } from './step-sections.ts';

/** What recovering works with. */
export interface RecoveryOptions {
  /** Where the folders of jobs are. */
  readonly folder: string;
  /** The way to the server that a task came from; `undefined` where this runner has no connection to it. */
  readonly channelOf: (job: JobFile) => ReportChannel | undefined;
  /** Whether a living process runs or reports the job: this one, or another with the same folder. */
  readonly isAlive: (job: JobFile) => boolean | Promise<boolean>;
  readonly settings: ReportSettings;
  readonly clock: ReportClock;
  readonly log: Logger;
}

/** A job that an earlier process left without its report. */
export interface RecoveredJob {
  readonly id: string;
  readonly job: JobFile;
  readonly delivery: Delivery;
}

/** Jobs of one connection that are reported at once. */
const atOnce = 4;
const reason = '##[error]The runner was stopped while this job ran';

/**
 * Reports what earlier processes left: jobs that ended as they ended, jobs that were running as failed, with all rows that
 * they had and a row that says why. Tries for a day, counted from the end of each job. Never rejects; an aborted signal
 * leaves the rest to the next start.
 */
export async function recoverReports(options: RecoveryOptions, signal: AbortSignal): Promise<readonly RecoveredJob[]> {
  const waiting = await findWaiting(options);
  const queues = Map.groupBy(waiting, ({ job }) => job.connection);
  const recovered: RecoveredJob[] = [];
  const work = async (queue: Waiting[]): Promise<void> => {
    for (let next = queue.shift(); next !== undefined && !signal.aborted; next = queue.shift()) {
      const done = await recover(next, options, signal);
      if (done !== undefined) recovered.push(done);
    }
  };
  await Promise.all([...queues.values()].flatMap((queue) => Array.from({ length: atOnce }, () => work(queue))));
  return recovered;
}

interface Waiting {
  readonly id: string;
  readonly job: JobFile;
}

async function findWaiting({ folder, isAlive }: RecoveryOptions): Promise<readonly Waiting[]> {
  const waiting: Waiting[] = [];
  for (const id of await readdir(folder).catch(() => [])) {
    const job = await readJobFile(join(folder, id));
    if (job !== undefined && job.delivery === undefined && !(await isAlive(job))) waiting.push({ id, job });
  }
  return waiting.toSorted((a, b) => a.job.startedAtMs - b.job.startedAtMs);
}

async function recover(
  { id, job }: Waiting,
  options: RecoveryOptions,
  signal: AbortSignal,
): Promise<RecoveredJob | undefined> {
  const { channelOf, clock, log } = options;
  const folder = join(options.folder, id);
  const channel = channelOf(job);
  try {
    if (channel !== undefined) return { id, ...(await report({ folder, job, channel }, options, signal)) };
    const endedAtMs = job.ended?.stoppedAtMs ?? job.startedAtMs;
    if (clock.now() - endedAtMs < giveUpAfterMs) return undefined;
    await writeJobFile(folder, { ...job, delivery: 'given-up' }, false);
    return { id, job, delivery: 'given-up' };
  } catch (error) {
    log.error('a job of an earlier start cannot be reported', { task: job.taskId, error });
    return undefined;
  }
}

interface Left {
  readonly folder: string;
  readonly job: JobFile;
  readonly channel: ReportChannel;
}

async function report(
  { folder, job, channel }: Left,
  { settings, clock, log }: RecoveryOptions,
  signal: AbortSignal,
): Promise<Pick<RecoveredJob, 'job' | 'delivery'>> {
  const onLoss = (error: unknown): void => log.warn('a row of a job cannot be written', { task: job.taskId, error });
  await using spool = await LogSpool.reopen(join(folder, jobLogName), {
    limitBytes: settings.spoolLimitBytes,
    onLoss,
  });
  const oldRows = spool.rowCount;
  const closed = job.ended === undefined ? await closeJob(job, spool, clock) : { ...job, ended: job.ended };
  await spool.sync();
  await writeJobFile(folder, closed, true);
  log.info('reporting a job of an earlier start', { task: job.taskId, result: closed.ended.result });
  const summaries = new KeptSummaries(folder);
  await summaries.find();
  const delivery = await sendFinalReport(
    {
      taskId: job.taskId,
      startedAtMs: job.startedAtMs,
      ended: closed.ended,
      steps: closed.steps,
      summaries,
      sender: new LogSender({
        taskId: job.taskId,
        spool,
        channel,
        log,
        oldRows,
        ackedRows: Math.min(job.ackedRows, oldRows),
      }),
      channel,
      retry: settings.retry,
      clock,
      log,
    },
    signal,
  );
  if (delivery === 'pending') return { job: closed, delivery };
  await summaries.remove();
  const reported: JobFile = { ...closed, ended: { ...closed.ended, outputs: [] }, delivery };
  await writeJobFile(folder, reported, false);
  return { job: reported, delivery };
}

/** Ends a job in the middle of which the runner died. */
async function closeJob(
  job: JobFile,
  spool: LogSpool,
  clock: ReportClock,
): Promise<JobFile & { readonly ended: JobEnd }> {
  const atMs = clock.now();
  const sections = StepSections.restore(job.steps);
  const last = await spool.lastRow();
  // The process that reports it may have died as well.
  const isClosed = last?.text === reason;
  sections.finish({ result: 'failure', atMs, count: job.stepNames.length }, spool.rowCount - (isClosed ? 1 : 0));
  if (!isClosed) await spool.append({ kind: 'complete' }, [{ atMs, text: reason }]);
  return {
    ...job,
    steps: sections.states(spool.rowCount),
    rows: spool.rowCount,
    bytes: spool.bytes,
    ended: { result: 'failure', stoppedAtMs: atMs, outputs: [], closingRow: closingRows.failure },
  };
}
