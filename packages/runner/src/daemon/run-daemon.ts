import { formatLabel, type Logger } from '@forgejo-runner/core';
import type { RunnerConfig } from '../config/runner-config.ts';
import { InstanceError } from '../forgejo/failures.ts';
import type { Io } from '../io.ts';
import type { Capacity } from '../poll/capacity.ts';
import { pollLoop } from '../poll/poll-loop.ts';
import { quoted, UserError } from '../user-error.ts';
import { declareLabels, keepRunnerFile } from './declare-labels.ts';
import type { Metrics } from './metrics.ts';
import type { OpenedConnection, OpenedRunner } from './open-runner.ts';
import { pruneHistory, recoverJobs } from './recovery.ts';
import { drainJobs } from './shutdown.ts';

/** What a daemon runs with. */
export interface DaemonOptions {
  readonly config: RunnerConfig;
  readonly runner: OpenedRunner;
  readonly boot: string;
  readonly io: Pick<Io, 'env' | 'cwd' | 'signal' | 'hurry'>;
  readonly log: Logger;
  readonly capacity: Capacity;
  readonly metrics: Pick<Metrics, 'hadPlace'>;
  /** Called when everything here is ready; whether the instances answer shows later. */
  readonly onReady?: () => void;
  readonly onStopping?: () => void;
}

/**
 * Takes jobs of all connections until the first signal, then lets those that run come to their end.
 *
 * @throws {UserError} where an instance will never give us work, or does not answer within `runner.startup_retry`.
 */
export async function runDaemon(options: DaemonOptions): Promise<void> {
  const { runner, io, log } = options;
  const failed = new AbortController();
  const stop = AbortSignal.any([io.signal, failed.signal]);
  const beside = Promise.all([
    recoverJobs({ ...options, connections: runner.connections }, stop),
    pruneHistory(options, stop),
  ]);
  const loops = runner.connections.map(async (opened) => {
    try {
      await serve(opened, options, stop);
    } catch (error) {
      if (!io.signal.aborted) failed.abort(error);
    }
  });
  options.onReady?.();
  await Promise.all(loops);
  options.onStopping?.();
  if (io.signal.aborted) log.info('no more jobs are taken', { running: runner.jobs.list().length });
  await drainJobs(options);
  await beside;
  if (failed.signal.aborted) throw failed.signal.reason;
}

async function serve(opened: OpenedConnection, options: DaemonOptions, stop: AbortSignal): Promise<void> {
  const { config, runner, io, log, capacity, metrics } = options;
  const { connection, resolved } = opened;
  const labels = (): readonly string[] => [...runner.backends.current.labelsOf(connection.name).keys()];
  const { startupRetry: retry } = config.runner;
  const declare = { labels: labels(), log, ...(retry === undefined ? {} : { retry }) };
  const declared = await declareLabels(opened, declare, stop).catch((error: unknown) => {
    throw error instanceof InstanceError ? error.toUserError() : error;
  });
  if (declared?.ephemeral === true) throw forOneJob(connection.name);
  const served = runner.backends.current.labelsOf(connection.name).values();
  const written = [...served].map(({ configuration }) => formatLabel(configuration));
  await keepRunnerFile(opened, written, { log, cwd: io.cwd });
  const source = { connection, runner: resolved.uuid, runnerName: declared?.name || connection.name };
  await pollLoop(
    {
      instance: connection,
      capacity,
      labelCapacity: runner.labelCapacity,
      labels,
      intervalMs: () => resolved.fetchIntervalMs,
      start: async (task, place) => {
        await runner.jobs.start(task, place, source);
      },
      onPlace: (waitedMs) => metrics.hadPlace(connection.name, waitedMs),
      log,
    },
    { stop, hurry: io.hurry },
  );
}

function forOneJob(connection: string): UserError {
  return new UserError('FRR708', {
    problems: [{ message: `the runner of connection ${quoted(connection)} takes one job in its life` }],
    next: 'start it with forgejo-runner one-job --wait',
  });
}
