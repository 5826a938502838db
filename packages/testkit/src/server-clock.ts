/** What a server takes for the time. */
export interface ServerClock {
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** A clock that a test drives. */
export interface DrivenClock extends ServerClock {
  /** Moves it on, or back. */
  readonly advance: (ms: number) => void;
}

/** Time that stands still until a test moves it. */
export function heldClock(startMs: number = Date.UTC(2026, 0, 1)): DrivenClock {
  let nowMs = startMs;
  return {
    now: () => nowMs,
    advance: (ms) => {
      nowMs += ms;
    },
  };
}

/** The true time, so much later or earlier; `advance` moves it further away. */
export function shiftedClock(shiftMs = 0): DrivenClock {
  let shift = shiftMs;
  return {
    now: () => Date.now() + shift,
    advance: (ms) => {
      shift += ms;
    },
  };
}
