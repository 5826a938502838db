import { durationText, nameText } from '../local/terminal-text.ts';
import { jobsFolder } from '../report/job-folders.ts';
import { listJobs, type PastJob } from '../report/job-history.ts';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-codes.ts';
import { formatTable } from './format-table.ts';

/** `jobs`: what this runner ran for instances, from its folder on the disk. */
export async function showJobs(options: { readonly json?: boolean }, { io }: CommandContext): Promise<number> {
  const jobs = await listJobs(jobsFolder(io.env));
  if (options.json === true) {
    io.stdout.write(`${JSON.stringify({ schema: 1, jobs: jobs.map(jsonJob) }, undefined, 2)}\n`);
    return exitCodes.success;
  }
  if (jobs.length === 0) {
    io.stdout.write('No job is known here\n');
    return exitCodes.success;
  }
  const head = ['JOB', 'RESULT', 'STARTED', 'TOOK', 'REPOSITORY', 'WORKFLOW', 'NAME', 'BACKEND', 'ROWS'];
  io.stdout.write(formatTable([head, ...jobs.map(row)]));
  return exitCodes.success;
}

function row(job: PastJob): readonly string[] {
  const { id, startedAtMs, stoppedAtMs } = job;
  return [
    id,
    resultText(job),
    new Date(startedAtMs).toISOString().slice(0, 19).replace('T', ' '),
    stoppedAtMs === undefined ? '-' : durationText(stoppedAtMs - startedAtMs),
    // Names are a stranger's: they must not write to the terminal of the reader.
    ...[job.repository, job.workflow, job.job, job.backend].map((name) => nameText(name) || '-'),
    job.rows === undefined ? '-' : String(job.rows),
  ];
}

/** How a job ended, and what became of its report where the instance does not have it. */
export function resultText({ result, delivery }: PastJob): string {
  if (result === undefined) return delivery === 'pending' ? 'running' : 'unknown';
  if (delivery === 'delivered') return result;
  return delivery === 'pending' ? `${result} (not reported yet)` : `${result} (never reported)`;
}

function jsonJob({ startedAtMs, stoppedAtMs, result, rows, ...job }: PastJob): object {
  return {
    ...job,
    result: result ?? null,
    rows: rows ?? null,
    started: new Date(startedAtMs).toISOString(),
    stopped: stoppedAtMs === undefined ? null : new Date(stoppedAtMs).toISOString(),
    durationMs: stoppedAtMs === undefined ? null : stoppedAtMs - startedAtMs,
  };
}
