import type { ReportFailure } from './report-channel.ts';
import { type ReportRetry, retryDelayMs } from './report-settings.ts';

/** Somebody may be waiting for the job to be cancelled, and looks at its log. */
const mostDelayMs = 10_000;
/** However long a server asks to wait: after ten minutes it takes the job for dead. */
const mostPatienceMs = 5 * 60_000;

/** Failures of one kind of request in a row, while a job runs. */
export class Attempts {
  readonly #retry: ReportRetry;
  #failures = 0;
  #retryAtMs = 0;
  #goneSinceMs: number | undefined;
  #shown = '';

  constructor(retry: ReportRetry) {
    this.#retry = retry;
  }

  /** Not to be tried before. */
  get retryAtMs(): number {
    return this.#retryAtMs;
  }

  /** @returns whether there had been failures. */
  succeeded(): boolean {
    const hadFailed = this.#failures > 0;
    this.#failures = 0;
    this.#retryAtMs = 0;
    this.#goneSinceMs = undefined;
    this.#shown = '';
    return hadFailed;
  }

  /** @returns whether the failure is news, and for how long the server has known nothing of the task. */
  failed(failure: ReportFailure, now: number): { readonly isNew: boolean; readonly goneMs: number } {
    this.#failures += 1;
    const delayMs = Math.min(retryDelayMs(this.#failures, this.#retry), mostDelayMs);
    this.#retryAtMs = now + Math.max(delayMs, Math.min(failure.retryAfterMs ?? 0, mostPatienceMs));
    if (failure.kind === 'gone') this.#goneSinceMs ??= now;
    else this.#goneSinceMs = undefined;
    const isNew = failure.message !== this.#shown;
    this.#shown = failure.message;
    return { isNew, goneMs: this.#goneSinceMs === undefined ? 0 : now - this.#goneSinceMs };
  }
}
