import type { Logger } from '@forgejo-runner/core';
import type { RunnerConfig } from '../config/runner-config.ts';
import type { Io } from '../io.ts';
import { RunnerStops } from '../job/job-limits.ts';
import { pause } from '../poll/pause.ts';
import type { RunningJobs } from './running-jobs.ts';

/** What coming to an end works with. */
export interface DrainOptions {
  readonly config: RunnerConfig;
  readonly runner: { readonly jobs: RunningJobs };
  readonly io: Pick<Io, 'hurry'>;
  readonly log: Logger;
}

/**
 * Waits for the jobs that run: for `runner.shutdown_timeout`, or until somebody is in a hurry. What still runs then is cancelled;
 * its clean-up gets the time that a cancelled job gets, unless somebody is in a hurry.
 */
export async function drainJobs({ config, runner, io, log }: DrainOptions): Promise<void> {
  const { jobs } = runner;
  const idle = new AbortController();
  const ending = jobs.idle().then(() => idle.abort());
  await pause(config.runner.shutdownTimeoutMs, idle.signal, io.hurry);
  if (!idle.signal.aborted) {
    const running = jobs.list().map(({ id }) => id);
    if (running.length > 0) log.warn('jobs are cancelled, because the runner stops', { jobs: running });
    jobs.cancel(new RunnerStops());
  }
  await ending;
}
