import { setTimeout as wait } from 'node:timers/promises';

/** Time as reporters see it, so that a test can hold it. */
export interface ReportClock {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Milliseconds since some moment; unlike `now` nobody can set it back. */
  readonly elapsed: () => number;
  /** Resolves after `ms` milliseconds, or at once when the signal aborts. Never rejects. */
  readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** The time of this machine. */
export const systemClock: ReportClock = {
  now: Date.now,
  elapsed: () => performance.now(),
  wait: async (ms, signal) => {
    // Longer waits overflow the timer and would return at once.
    await wait(Math.min(Math.max(0, ms), 2 ** 31 - 1), undefined, { signal }).catch(() => undefined);
  },
};
