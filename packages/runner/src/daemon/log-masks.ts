import { onceDisposed } from '../poll/capacity.ts';
import { Masker } from '../log/masker.ts';

/** Hides in the log of the runner what is secret to it, and what is secret to the jobs that run now. */
export class LogMasks {
  readonly #own = new Masker();
  readonly #ofJobs = new Set<Masker>();

  /** Hides a secret of the runner itself from now on. */
  add(secret: string): void {
    if (secret !== '') this.#own.add(secret);
  }

  /** Hides what a job hides, until it is disposed. */
  use(masker: Masker): Disposable {
    this.#ofJobs.add(masker);
    return onceDisposed(() => this.#ofJobs.delete(masker));
  }

  mask(text: string): string {
    let masked = this.#own.mask(text);
    for (const masker of this.#ofJobs) masked = masker.mask(masked);
    return masked;
  }
}
