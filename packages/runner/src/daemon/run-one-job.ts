import type { Logger } from '@forgejo-runner/core';
import type { RunnerConfig } from '../config/runner-config.ts';
import { failureOf, InstanceError, type InstanceFailure } from '../forgejo/failures.ts';
import type { Io } from '../io.ts';
import { BackOff } from '../poll/back-off.ts';
import { onceDisposed } from '../poll/capacity.ts';
import { pause } from '../poll/pause.ts';
import type { TaskMessage } from '../task/task-message.ts';
import { declareLabels } from './declare-labels.ts';
import type { OpenedConnection, OpenedRunner } from './open-runner.ts';
import { recoverJobs } from './recovery.ts';
import { drainJobs } from './shutdown.ts';

/** What one job is run with. */
export interface OneJobOptions {
  readonly config: RunnerConfig;
  readonly runner: OpenedRunner;
  readonly connection: OpenedConnection;
  readonly boot: string;
  readonly io: Pick<Io, 'env' | 'signal' | 'hurry'>;
  readonly log: Logger;
  /** Wait until there is a job. */
  readonly wait: boolean;
  /** Of the attempt of a job that is to be run. */
  readonly handle?: string;
}

/** What an earlier start left must not keep a job waiting that is to be run now. */
const recoveryTimeoutMs = 60_000;

/**
 * Reports what earlier starts left, then takes one job and runs it to its end; false where there is none.
 *
 * @throws {UserError} where the instance does not answer, unless we wait; where it does not know this runner, in any case.
 */
export async function runOneJob(options: OneJobOptions): Promise<boolean> {
  const { connection: opened, runner, io, log } = options;
  const { connection, resolved } = opened;
  // First: with the result of a job that was killed, an instance deletes a runner for one job.
  const soon = AbortSignal.any([io.signal, AbortSignal.timeout(recoveryTimeoutMs)]);
  await recoverJobs({ ...options, connections: [opened] }, soon);
  const labels = [...runner.backends.current.labelsOf(connection.name).keys()];
  try {
    const retry = options.wait ? {} : { retry: { maxRetries: 1, initialDelayMs: 1, maxDelayMs: 1 } };
    const declared = await declareLabels(opened, { labels, isFinal, log, ...retry }, io.signal);
    const found = await fetchOne(options);
    if (found === undefined) return false;
    const source = { connection, runner: resolved.uuid, runnerName: declared?.name || connection.name };
    const [task, ...others] = found.tasks;
    // It asked for one; what an instance hands out beyond that has to run as well.
    for (const one of task === undefined ? [] : [task, ...others]) {
      await runner.jobs.start(
        one,
        onceDisposed(() => {}),
        source,
      );
    }
    await found.confirm();
  } catch (error) {
    throw error instanceof InstanceError ? error.toUserError() : error;
  }
  await untilIdleOr(runner, io.signal);
  await drainJobs(options);
  return true;
}

/**
 * Waiting would have no end: there are no handles, or nobody knows this runner. What starts runners for one job makes a new
 * one then; a daemon goes on asking, because an administrator may bring its runner back.
 */
function isFinal({ code }: InstanceFailure): boolean {
  return code === 'FRR706' || code === 'FRR702';
}

interface Found {
  readonly tasks: readonly TaskMessage[];
  readonly confirm: () => Promise<void>;
}

async function fetchOne({ connection, wait, handle, io, log }: OneJobOptions): Promise<Found | undefined> {
  const { fetchIntervalMs } = connection.resolved;
  const backOff = new BackOff({ firstMs: 1000, mostMs: 60_000 });
  for (;;) {
    try {
      // One that is on its way is waited for: the instance may have answered with a job.
      io.signal.throwIfAborted();
      const found = await connection.connection.fetchSingle(handle, io.hurry);
      if (found.tasks.length > 0) return found;
      await found.confirm();
      if (!wait) return undefined;
      backOff.succeeded();
      await pause(fetchIntervalMs, io.signal);
    } catch (error) {
      io.signal.throwIfAborted();
      if (!(error instanceof InstanceError) || !wait || isFinal(error.failure)) throw error;
      const againInMs = backOff.failed(failureOf(error));
      log.warn(error.message, { code: error.failure.code, againInMs });
      await pause(againInMs, io.signal);
    }
  }
}

async function untilIdleOr({ jobs }: OpenedRunner, signal: AbortSignal): Promise<void> {
  const idle = new AbortController();
  void jobs.idle().then(() => idle.abort());
  await pause(2 ** 31 - 1, idle.signal, signal);
}
