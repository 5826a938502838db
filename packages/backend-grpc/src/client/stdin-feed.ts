/** How input gets to the other side. */
export interface StdinFeedOptions {
  readonly chunkBytes: number;
  /** Most bytes that may be under way; 0 for any number. */
  readonly windowBytes: number;
  readonly send: (chunk: Uint8Array) => Promise<void>;
  readonly onEnd: () => void;
  readonly onFailure: (error: unknown) => void;
}

/** Sends what a source gives, no faster than the process on the other side takes it. */
export class StdinFeed {
  readonly #options: StdinFeedOptions;
  readonly #source: AsyncIterator<Uint8Array>;
  #sent = 0;
  #taken = 0;
  #isOver = false;
  #wake: (() => void) | undefined;

  constructor(source: AsyncIterable<Uint8Array>, options: StdinFeedOptions) {
    this.#options = options;
    this.#source = source[Symbol.asyncIterator]();
    this.#run().catch((error: unknown) => {
      if (!this.#isOver) options.onFailure(error);
    });
  }

  /** The process has so many bytes. */
  readonly taken = (total: number): void => {
    this.#taken = Math.max(this.#taken, total);
    this.#wake?.();
  };

  /** The process needs no more. */
  readonly end = (): void => {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#wake?.();
    // Not awaited: a generator that waits for its own source answers only after that.
    void this.#source.return?.().then(undefined, () => {});
  };

  async #run(): Promise<void> {
    const { chunkBytes, send, onEnd } = this.#options;
    for (;;) {
      const next = await this.#source.next();
      if (this.#isOver) return;
      if (next.done === true) break;
      for (let at = 0; at < next.value.length; at += chunkBytes) {
        const chunk = next.value.subarray(at, at + chunkBytes);
        await this.#room(chunk.length);
        if (this.#isOver) return;
        this.#sent += chunk.length;
        await send(chunk);
      }
    }
    onEnd();
  }

  async #room(bytes: number): Promise<void> {
    const { windowBytes } = this.#options;
    if (windowBytes === 0) return;
    // One that is larger than the window goes when nothing else is under way.
    while (!this.#isOver && this.#sent > this.#taken && this.#sent + bytes - this.#taken > windowBytes) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
