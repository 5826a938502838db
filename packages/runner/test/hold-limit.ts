import { vi } from 'vitest';

/** A time limit that waits for the test. */
export interface HeldLimit extends Disposable {
  /** Lets the time be over. It fails where nobody started the limit, or where it was taken back. */
  readonly end: () => void;
}

/**
 * From now on a timer of this many minutes ends by hand, and all others by the clock: a test lets the time of a step be
 * over when the step did what it should, however slow the machine is. Take a number that nothing else uses.
 */
export function holdLimit(minutes: number): HeldLimit {
  const ms = minutes * 60_000;
  const real = globalThis.setTimeout;
  const held = new Map<unknown, () => void>();
  const clear = globalThis.clearTimeout;
  const stand = (callback: () => void, delay?: number, ...values: readonly []): NodeJS.Timeout => {
    const timer = real(callback, delay, ...values);
    if (delay === ms) held.set(timer, callback);
    return timer;
  };
  const set = vi.spyOn(globalThis, 'setTimeout').mockImplementation(Object.assign(stand, real));
  const cleared = vi.spyOn(globalThis, 'clearTimeout').mockImplementation((timer) => {
    held.delete(timer);
    clear(timer);
  });
  return {
    end: () => {
      if (held.size === 0) throw new Error(`expected a time limit of ${minutes} minutes, found none that runs`);
      for (const callback of held.values()) callback();
      held.clear();
    },
    [Symbol.dispose]: () => {
      set.mockRestore();
      cleared.mockRestore();
    },
  };
}
