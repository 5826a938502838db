import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { openSlowWriter } from '../local/slow-writer.ts';
import { terminalText } from '../local/terminal-text.ts';
import { jobsFolder } from '../report/job-folders.ts';
import { listJobs, type PastJob, readJobLog } from '../report/job-history.ts';
import { quoted, UserError } from '../user-error.ts';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-codes.ts';
import { resultText } from './jobs.ts';

/** What `logs` was asked for. */
export interface LogsOptions {
  /** As `jobs` lists it, or the id of its task. */
  readonly job: string;
  readonly follow?: boolean;
  /** Number of the step, from 1. */
  readonly step?: string;
  readonly timestamps?: boolean;
}

const lookAgainMs = 250;

/** `logs`: the log of one job, masked as it was when it came. */
export async function showLog(options: LogsOptions, { io }: CommandContext): Promise<number> {
  const folder = jobsFolder(io.env);
  const found = findJob(await listJobs(folder), options.job);
  const colors = io.stdout.isTTY === true && !io.env['NO_COLOR'];
  using writer = openSlowWriter(io.stdout);
  const query = {
    folder: join(folder, found.id),
    ...(options.step === undefined ? {} : { step: stepIndex(options.step) }),
    ...(options.follow === true ? { wait: () => wait(lookAgainMs, undefined, { signal: io.signal }) } : {}),
  };
  for await (const rows of readJobLog(query)) {
    io.signal.throwIfAborted();
    const lines = rows.map(({ atMs, text }) => {
      const time = options.timestamps === true ? `${new Date(atMs).toISOString()} ` : '';
      return `${time}${terminalText(text, { colors })}\n`;
    });
    await writer.write(lines.join(''));
  }
  // Beside the log, so that it can be compared with what the instance shows.
  const now = (await listJobs(folder)).find(({ id }) => id === found.id) ?? found;
  io.stderr.write(`${found.id}: ${resultText(now)}\n`);
  return exitCodes.success;
}

function findJob(jobs: readonly PastJob[], wanted: string): PastJob {
  const exact = jobs.find(({ id }) => id === wanted);
  if (exact !== undefined) return exact;
  const [first, second] = jobs.filter(({ taskId }) => taskId === wanted);
  if (first !== undefined && second === undefined) return first;
  const found = first === undefined ? 'none' : 'tasks of several connections';
  throw new UserError('FRR305', {
    problems: [{ message: `expected one job ${quoted(wanted)}, found ${found}` }],
    next: 'forgejo-runner jobs lists the jobs that are known here',
  });
}

function stepIndex(step: string): number {
  if (/^[1-9]\d{0,5}$/.test(step)) return Number(step) - 1;
  throw new UserError('FRR101', {
    problems: [{ message: `expected the number of a step, from 1 on, found ${quoted(step)}` }],
    next: 'forgejo-runner logs --help shows what is possible',
  });
}
