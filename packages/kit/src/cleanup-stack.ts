/** Something that could not be cleaned up, by the name that it was given. */
export interface CleanupFailure {
  readonly name: string;
  readonly error: unknown;
}

/**
 * Collects what has to be undone, and undoes it in reverse order. One failure does not keep the others from running.
 *
 * ```ts
 * const cleanup = new CleanupStack();
 * const network = await createNetwork();
 * cleanup.defer('network', () => network.remove());
 * const failures = await cleanup.run();
 * ```
 */
export class CleanupStack {
  readonly #steps: { readonly name: string; readonly undo: () => unknown }[] = [];
  #running: Promise<readonly CleanupFailure[]> | undefined;

  /** Adds a step. What is added while the stack runs is run as well. */
  defer(name: string, undo: () => unknown): void {
    this.#steps.push({ name, undo });
  }

  /** Forgets all steps: what was opened now belongs to somebody else. */
  release(): void {
    this.#steps.length = 0;
  }

  /** Runs every step once, last first, and tells which ones failed. Never rejects. */
  async run(): Promise<readonly CleanupFailure[]> {
    const before = this.#running;
    this.#running = this.#drain(before);
    return this.#running;
  }

  async #drain(before: Promise<unknown> | undefined): Promise<readonly CleanupFailure[]> {
    // Two runs at once would undo in the wrong order: the second waits for the first.
    await before;
    const failures: CleanupFailure[] = [];
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.undo();
      } catch (error) {
        failures.push({ name: step.name, error });
      }
    }
    return failures;
  }
}
