import type { ReportClock } from '../src/report/report-clock.ts';

/** Time that stands still until a test moves it. */
export interface HeldClock extends ReportClock {
  /** Moves time on, one waiting after the other; resolves when everybody waits again for later. */
  readonly advance: (ms: number) => Promise<void>;
  /** Resolves when somebody waits. */
  readonly idle: () => Promise<void>;
}

interface Waiting {
  readonly atMs: number;
  readonly resolve: () => void;
}

/** A clock for one loop that waits on it between any two things that it does. */
export function heldClock(startMs = 1_000_000): HeldClock {
  let nowMs = startMs;
  const waiting = new Set<Waiting>();
  const idle = async (): Promise<void> => {
    // Disk and promises need real time; none of it counts here.
    for (let turns = 0; waiting.size === 0 && turns < 20_000; turns += 1) await new Promise(setImmediate);
    for (let turns = 0; turns < 20; turns += 1) await new Promise(setImmediate);
  };
  return {
    now: () => nowMs,
    elapsed: () => nowMs,
    wait: (ms, signal) => {
      if (signal.aborted || ms <= 0) return Promise.resolve();
      return new Promise((resolve) => {
        const end = (): void => {
          waiting.delete(one);
          signal.removeEventListener('abort', end);
          resolve();
        };
        const one = { atMs: nowMs + ms, resolve: end };
        waiting.add(one);
        signal.addEventListener('abort', end);
      });
    },
    idle,
    advance: async (ms) => {
      const untilMs = nowMs + ms;
      for (;;) {
        await idle();
        const [next] = [...waiting].toSorted((a, b) => a.atMs - b.atMs);
        if (next === undefined || next.atMs > untilMs) break;
        nowMs = next.atMs;
        next.resolve();
      }
      nowMs = untilMs;
    },
  };
}
