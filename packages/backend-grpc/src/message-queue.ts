interface Waiting<T> {
  readonly value: T;
  readonly taken: () => void;
}

/** Messages on their way from whoever makes them to the one stream that sends them, in order. */
export class MessageQueue<T> implements AsyncIterable<T, void, undefined> {
  readonly #waiting: Waiting<T>[] = [];
  #wake: (() => void) | undefined;
  #isClosed = false;

  /** Adds a message. Resolves when the stream took it, or takes nothing any more: whoever sends much waits for it. */
  readonly push = (value: T): Promise<void> => {
    if (this.#isClosed) return Promise.resolve();
    return new Promise((taken) => {
      this.#waiting.push({ value, taken });
      this.#wake?.();
    });
  };

  /** Ends the stream after what is in the queue. */
  readonly close = (): void => {
    this.#isClosed = true;
    this.#wake?.();
  };

  /** Ends the stream at once; what is in the queue is nobody's. */
  readonly drop = (): void => {
    this.#isClosed = true;
    for (const { taken } of this.#waiting.splice(0)) taken();
    this.#wake?.();
  };

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    try {
      for (;;) {
        const next = this.#waiting.shift();
        if (next !== undefined) {
          next.taken();
          yield next.value;
        } else if (this.#isClosed) return;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.drop();
    }
  }
}
