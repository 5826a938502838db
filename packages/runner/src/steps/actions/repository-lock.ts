import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';

/** Queues inside of this process, so that only one of it asks the file. */
const queues = new Map<string, Promise<void>>();

const firstPauseMs = 20;
const longestPauseMs = 250;

/**
 * Takes a lock that holds among all processes of this machine, and waits for it. The system gives it back when a
 * process dies, however it dies. Dispose it to give it back earlier.
 *
 * @throws the reason of `signal` when that aborts while waiting.
 */
export async function lockFile(path: string, signal: AbortSignal): Promise<Disposable> {
  const turn = Promise.withResolvers<void>();
  const before = queues.get(path) ?? Promise.resolve();
  const last = before.then(() => turn.promise);
  queues.set(path, last);
  const leave = (): void => {
    turn.resolve();
    if (queues.get(path) === last) queues.delete(path);
  };
  const done = new AbortController();
  try {
    await Promise.race([before, aborted(signal, done.signal)]);
    signal.throwIfAborted();
    await mkdir(dirname(path), { recursive: true });
    const database = await takeFile(path, signal);
    return {
      [Symbol.dispose]: () => {
        database.close();
        leave();
      },
    };
  } catch (error) {
    leave();
    throw error;
  } finally {
    done.abort();
  }
}

/**
 * Node has no advisory locks of files of its own; those of SQLite are real ones. The file stays empty, and stays: one
 * that is removed would let two processes hold locks of the same name.
 */
async function takeFile(path: string, signal: AbortSignal): Promise<DatabaseSync> {
  // Only when it is needed: a Node that is too old lacks it, and has to get as far as the message that says so.
  const { DatabaseSync } = await import('node:sqlite');
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
      if (isTaken(database)) return database;
      await pause(pauseMs, undefined, { signal });
    }
  } catch (error) {
    database.close();
    signal.throwIfAborted();
    throw error;
  }
}

function isTaken(database: DatabaseSync): boolean {
  try {
    database.exec('BEGIN EXCLUSIVE');
    return true;
  } catch (error) {
    // SQLITE_BUSY
    if ((error as { errcode?: number }).errcode === 5) return false;
    throw error;
  }
}

function aborted(signal: AbortSignal, done: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  else signal.addEventListener('abort', () => resolve(), { once: true, signal: done });
  return promise;
}
