import type { Logger } from '@forgejo-runner/core';
import { failureOf, type InstanceFailure } from '../forgejo/failures.ts';
import { BackOff } from './back-off.ts';
import type { Capacity, Reservation } from './capacity.ts';
import type { LabelCapacity } from './label-capacity.ts';
import { pause } from './pause.ts';

/** The instance that a loop asks for work. */
export interface PolledInstance<T> {
  /** Of the connection, for messages. */
  readonly name: string;
  /** Asks whether the instance answers at all, without taking work. */
  readonly probe: (signal: AbortSignal) => Promise<void>;
  /** Up to `capacity` tasks that need nothing but these labels. Never more than once at a time. */
  readonly fetchTasks: (
    question: { readonly capacity: number; readonly labels: readonly string[] },
    signal: AbortSignal,
  ) => Promise<FetchedTasks<T>>;
}

/** An answer with work. */
export interface FetchedTasks<T> {
  readonly tasks: readonly T[];
  /** To be called when no task can get lost any more; without it, the next question brings them once again. */
  readonly confirm: () => Promise<void>;
}

/** What a poll loop works with. */
export interface PollOptions<T> {
  readonly instance: PolledInstance<T>;
  /** Shared by the loops of all connections. */
  readonly capacity: Capacity;
  /** Limits of single labels, shared as well. */
  readonly labelCapacity: LabelCapacity;
  /** Asked before every question: they may change while the runner runs. */
  readonly labels: () => readonly string[];
  readonly intervalMs: () => number;
  /**
   * Takes over a task and its place, which it disposes when the job has ended. Resolves when the task cannot get lost
   * any more, long before that. A task may come twice, when an answer could not be confirmed.
   */
  readonly start: (task: T, place: Disposable) => Promise<void>;
  /** There is a place, so the instance is asked; it could not be for so long. */
  readonly onPlace?: (waitedMs: number) => void;
  readonly onAnswer?: (tasks: number) => void;
  readonly onFailure?: (failure: InstanceFailure) => void;
  readonly log: Logger;
  readonly random?: () => number;
}

/** What ends a loop. */
export interface PollSignals {
  /** No further question. One that is on its way is waited for: the server may have answered with a task. */
  readonly stop: AbortSignal;
  /** Also breaks off the question that is on its way. */
  readonly hurry: AbortSignal;
}

const mostBackOffMs = 60_000;
const leastBackOffMs = 1000;

/**
 * Asks one instance for work until it is stopped: only while there is a free place, at most once in an interval, and
 * ever more seldom while it fails. Resolves when the last question is answered and its tasks are taken over.
 */
export async function pollLoop<T>(options: PollOptions<T>, signals: PollSignals): Promise<void> {
  const { instance, log } = options;
  const firstMs = Math.max(leastBackOffMs, options.intervalMs());
  const backOff = new BackOff({ firstMs, mostMs: Math.max(mostBackOffMs, firstMs) }, options.random);
  let shown = '';
  let wantedAt: number | undefined;
  const hasPlace = (): void => {
    options.onPlace?.(performance.now() - (wantedAt ?? 0));
    wantedAt = undefined;
  };
  while (!signals.stop.aborted) {
    const startedAt = performance.now();
    try {
      // A place that waits for an instance which does not answer would be missing at the others.
      if (backOff.failures > 0) await instance.probe(signals.stop);
      // Also over questions that were left out because no label had a place.
      wantedAt ??= performance.now();
      await askOnce(options, signals, hasPlace);
      if (backOff.failures > 0) log.info('the instance answers again', { connection: instance.name });
      backOff.succeeded();
      shown = '';
      await pause(options.intervalMs() - (performance.now() - startedAt), signals.stop);
    } catch (error) {
      if (signals.stop.aborted) return;
      const failure = failureOf(error);
      options.onFailure?.(failure);
      const waitMs = backOff.failed(failure);
      const level = failure.message === shown ? 'debug' : 'warn';
      shown = failure.message;
      log[level](failure.message, { connection: instance.name, ...nextStep(failure), againInMs: waitMs });
      await pause(waitMs, signals.stop);
    }
  }
}

function nextStep({ code, next }: InstanceFailure): object {
  return next === undefined ? { code } : { code, next };
}

async function askOnce<T>(options: PollOptions<T>, signals: PollSignals, hasPlace: () => void): Promise<void> {
  const { instance, capacity, labelCapacity } = options;
  const { labels, most } = labelCapacity.open(options.labels());
  if (labels.length === 0) return;
  using reserved = await capacity.reserve(most, signals.stop);
  hasPlace();
  const { tasks, confirm } = await instance.fetchTasks({ capacity: reserved.count, labels }, signals.hurry);
  options.onAnswer?.(tasks.length);
  await Promise.all(tasks.map((task) => startOne(task, reserved, options)));
  await confirm();
}

async function startOne<T>(task: T, reserved: Reservation, { start }: PollOptions<T>): Promise<void> {
  const place = reserved.occupy();
  try {
    await start(task, place);
  } catch (error) {
    place[Symbol.dispose]();
    throw error;
  }
}
