/**
 * A moment that many waits may be cut short by. `Promise.race` against one long-lived promise leaves something behind
 * on it for every race; this leaves nothing, so it may be used for every chunk of a stream.
 */
export class Gate {
  readonly #waiting = new Set<() => void>();
  #isOpen = false;

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Ends all waits, those that come later at once. */
  open(): void {
    this.#isOpen = true;
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }

  /** What the promise gives, or `undefined` as soon as the gate is open. A rejection after that is nobody's. */
  orOpen<T>(promise: Promise<T>): Promise<T | undefined> {
    if (this.#isOpen) promise.catch(() => {});
    if (this.#isOpen) return Promise.resolve(undefined);
    return new Promise((resolve, reject) => {
      const wake = (): void => resolve(undefined);
      this.#waiting.add(wake);
      const settle = (act: () => void): void => {
        this.#waiting.delete(wake);
        act();
      };
      promise.then(
        (value) => settle(() => resolve(value)),
        (error: unknown) => settle(() => reject(error)),
      );
    });
  }
}
