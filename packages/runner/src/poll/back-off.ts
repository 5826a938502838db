/** How the time between attempts grows. All in milliseconds. */
export interface BackOffLimits {
  readonly firstMs: number;
  readonly mostMs: number;
}

/** What a failure says about the next attempt. */
export interface FailedAttempt {
  /** The server asked for so much patience. */
  readonly retryAfterMs?: number;
  /** Trying again soon makes no sense: a person has to do something first. */
  readonly isRefused?: boolean;
}

/** However long a server asks to wait, we look again after this. */
const mostPatienceMs = 15 * 60_000;

/**
 * Time until the next attempt: doubled after each failure, and spread over its upper half, so that runners that lost
 * their server at the same moment do not come back at the same moment.
 */
export class BackOff {
  readonly #limits: BackOffLimits;
  readonly #random: () => number;
  #failures = 0;

  /** `random` gives numbers from 0 to below 1. */
  constructor(limits: BackOffLimits, random: () => number = Math.random) {
    this.#limits = limits;
    this.#random = random;
  }

  get failures(): number {
    return this.#failures;
  }

  succeeded(): void {
    this.#failures = 0;
  }

  /** Counts a failure. @returns milliseconds to wait. */
  failed({ retryAfterMs = 0, isRefused = false }: FailedAttempt = {}): number {
    const { firstMs, mostMs } = this.#limits;
    const grown = isRefused ? mostMs : Math.min(mostMs, firstMs * 2 ** Math.min(this.#failures, 30));
    this.#failures += 1;
    const spread = grown / 2 + (grown / 2) * this.#random();
    return Math.ceil(Math.max(spread, Math.min(retryAfterMs, mostPatienceMs)));
  }
}
