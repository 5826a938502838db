import type { Logger } from '@forgejo-runner/core';
import type { RunnerConfig } from '../config/runner-config.ts';
import type { Io } from '../io.ts';
import { pause } from '../poll/pause.ts';
import { jobsFolder } from '../report/job-folders.ts';
import { pruneJobs } from '../report/job-history.ts';
import { isAlive } from '../report/living-processes.ts';
import { recoverReports } from '../report/recover-reports.ts';
import { systemClock } from '../report/report-clock.ts';
import { aliveFolder, type OpenedConnection, reportSettings } from './open-runner.ts';

/** What recovering works with. */
export interface RecoverOptions {
  readonly config: RunnerConfig;
  readonly connections: readonly OpenedConnection[];
  readonly boot: string;
  readonly io: Pick<Io, 'env'>;
  readonly log: Logger;
}

/** Reports what earlier starts left, beside other work. Never rejects; an aborted signal leaves the rest to the next start. */
export async function recoverJobs(options: RecoverOptions, signal: AbortSignal): Promise<void> {
  const { config, connections, boot, io, log } = options;
  const channels = new Map(connections.map(({ resolved, connection }) => [resolved.uuid, connection.reports]));
  await recoverReports(
    {
      folder: jobsFolder(io.env),
      channelOf: (job) => (job.runner === undefined ? undefined : channels.get(job.runner)),
      isAlive: (job) => job.boot === boot || isAlive(aliveFolder(io.env), job.boot),
      settings: reportSettings(config),
      clock: systemClock,
      log,
    },
    signal,
  );
}

const hourMs = 3_600_000;

/** Removes jobs that are too old to be shown, now and then. Never rejects. */
export async function pruneHistory(
  { io, log }: Pick<RecoverOptions, 'io' | 'log'>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await pruneJobs(jobsFolder(io.env), Date.now()).catch((error: unknown) =>
      log.warn('old jobs could not be removed', { error }),
    );
    await pause(hourMs, signal);
  }
}
