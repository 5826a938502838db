import type { Logger } from '@forgejo-runner/core';
import { writeRunnerFile } from '../config/runner-file.ts';
import type { RetrySection } from '../config/runner-config.ts';
import type { DeclaredRunner } from '../forgejo/connection.ts';
import { failureOf, InstanceError, type InstanceFailure } from '../forgejo/failures.ts';
import { BackOff } from '../poll/back-off.ts';
import { pause } from '../poll/pause.ts';
import type { OpenedConnection } from './open-runner.ts';

/** What declaring goes by. */
export interface DeclareOptions {
  readonly labels: readonly string[];
  /** Attempts; without it there is no end. */
  readonly retry?: RetrySection;
  /** After such a failure there is no further attempt. */
  readonly isFinal?: (failure: InstanceFailure) => boolean;
  readonly log: Logger;
}

const mostMs = 60_000;

/**
 * Tells an instance our labels, and tries again until it answers: a runner may start before its instance.
 *
 * @throws {InstanceError} the last failure, when it is final or `retry` has an end. The reason of `signal` when that aborts.
 */
export async function declareLabels(
  { connection }: OpenedConnection,
  { labels, retry, isFinal, log }: DeclareOptions,
  signal: AbortSignal,
): Promise<DeclaredRunner | undefined> {
  const backOff = new BackOff({
    firstMs: Math.max(1, retry?.initialDelayMs ?? 1000),
    mostMs: retry !== undefined && retry.maxDelayMs > 0 ? retry.maxDelayMs : mostMs,
  });
  let shown = '';
  for (;;) {
    try {
      const declared = await connection.declare(labels, signal);
      log.info('the instance knows this runner', {
        connection: connection.name,
        url: connection.url,
        ...(declared === undefined ? {} : { runner: declared.name }),
        labels: labels.join(','),
      });
      return declared;
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof InstanceError)) throw error;
      const failure = failureOf(error);
      if (isFinal?.(failure) === true) throw error;
      const againInMs = backOff.failed(failure);
      if (retry !== undefined && retry.maxRetries > 0 && backOff.failures > retry.maxRetries) throw error;
      const { code, next, message } = failure;
      const fields = { connection: connection.name, code, ...(next === undefined ? {} : { next }), againInMs };
      log[message === shown ? 'debug' : 'warn'](message, fields);
      shown = message;
      await pause(againInMs, signal);
      signal.throwIfAborted();
    }
  }
}

/** Keeps the labels in the file of the registration up to date, as the Go runner does. */
export async function keepRunnerFile(
  { resolved }: OpenedConnection,
  labels: readonly string[],
  { log, cwd }: { readonly log: Logger; readonly cwd: string },
): Promise<void> {
  const { file } = resolved;
  if (file === undefined || JSON.stringify(file.content.labels) === JSON.stringify(labels)) return;
  try {
    await writeRunnerFile(file.path, { ...file.content, labels }, cwd);
  } catch (error) {
    // It may be mounted read-only: nothing here goes by its labels while the configuration has some.
    log.warn('the labels in the file of the registration are not up to date', { error });
  }
}
