/** From this difference on, time limits of tokens and the order of log rows suffer. */
const worthToldMs = 5 * 60_000;

/**
 * Compares the clock of an instance with ours by the `Date` of its answers, and tells a large difference once, and again
 * only when it had been small in between.
 */
export class ClockSkew {
  readonly #tell: (aheadMs: number) => void;
  #wasTold = false;

  /** `tell` gets the milliseconds by which our clock is ahead, negative where it is behind. */
  constructor(tell: (aheadMs: number) => void) {
    this.#tell = tell;
  }

  see(headers: Headers, now: number = Date.now()): void {
    const at = Date.parse(headers.get('date') ?? '');
    if (Number.isNaN(at)) return;
    const aheadMs = now - at;
    const isLarge = Math.abs(aheadMs) >= worthToldMs;
    if (isLarge && !this.#wasTold) this.#tell(aheadMs);
    this.#wasTold = isLarge;
  }
}
