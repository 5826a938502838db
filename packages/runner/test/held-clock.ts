import type { ReportClock } from '../src/report/report-clock.ts';

/** Time that stands still until a test moves it. */
export interface HeldClock extends ReportClock {
  /** Moves time on, one waiting after the other; resolves when everybody waits again for later. */
  readonly advance: (ms: number) => Promise<void>;
  /** Resolves when somebody waits, or nobody will any more. */
  readonly idle: () => Promise<void>;
  /** From now on nobody waits. */
  readonly stop: () => void;
}

interface Waiting {
  readonly atMs: number;
  readonly resolve: () => void;
}

/** A clock for one loop that waits on it between any two things that it does. */
export function heldClock(startMs = 1_000_000): HeldClock {
  let nowMs = startMs;
  const waiting = new Set<Waiting>();
  let isStopped = false;
  const idle = async (): Promise<void> => {
    // Disk and promises need real time; none of it counts here.
    const until = performance.now() + 30_000;
    for (;;) {
      if (waiting.size > 0 || isStopped) return;
      if (performance.now() > until) throw new Error('expected somebody to wait for the time, found nobody');
      await new Promise(setImmediate);
    }
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
    stop: () => {
      isStopped = true;
    },
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
