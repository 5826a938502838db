import type { Readable } from 'node:stream';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import type { OutputSink } from '@forgejo-runner/core';

/** What Node asks the system for at once. A read that gives less has taken all there was. */
const wholeRead = 64 * 1024;
/** Room of a pipe or socket and of a stream's buffer together: no more than this was written before the process ended. */
const leftoverBytes = 1024 * 1024;
const idleMs = 50;

/**
 * Takes the output of a process and hands it on piece by piece; the next piece is read when the sink took the last.
 * Ends with the stream. A child in the background may hold the stream open after the process ended: from `late` on,
 * what was written before that is still taken, and the rest is thrown away, so that the child neither blocks nor dies
 * of a closed pipe.
 */
export async function pumpOutput(stream: Readable, sink: OutputSink, late: Promise<void>): Promise<void> {
  using reader = new ChunkReader(stream);
  let isLate = false;
  const onLate = (): void => {
    isLate = true;
    reader.interrupt();
  };
  void late.then(onLate);
  let lateChunks = 0;
  let lateBytes = 0;
  while (lateBytes <= leftoverBytes) {
    const chunk = isLate ? await reader.nextUnlessIdle() : await reader.next();
    if (chunk === 'interrupted') continue;
    if (chunk === undefined) return;
    await sink(chunk);
    if (!isLate) continue;
    // The first one may have lain in the buffer of the stream for long; the second was read after the process ended.
    lateChunks += 1;
    lateBytes += chunk.length;
    if (lateChunks > 1 && chunk.length < wholeRead) return;
  }
}

class ChunkReader implements Disposable {
  readonly #stream: Readable;
  #isEnded = false;
  #wake: () => void = () => {};
  #isInterrupted = false;
  readonly #onReadable = (): void => this.#wake();
  readonly #onEnd = (): void => {
    this.#isEnded = true;
    this.#wake();
  };

  constructor(stream: Readable) {
    this.#stream = stream;
    stream.on('readable', this.#onReadable);
    // A reset connection is an end like any other: how the process ended is told elsewhere.
    for (const event of ['end', 'close', 'error']) stream.on(event, this.#onEnd);
  }

  /** The next piece, or `undefined` at the end. */
  async next(): Promise<Uint8Array | 'interrupted' | undefined> {
    for (;;) {
      const chunk = this.#read();
      if (chunk !== undefined || this.#isEnded) return chunk;
      if (this.#isInterrupted) {
        this.#isInterrupted = false;
        return 'interrupted';
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** The next piece, or `undefined` at the end or when nothing lies ready. */
  async nextUnlessIdle(): Promise<Uint8Array | undefined> {
    const stop = new AbortController();
    let isIdle = false;
    const onIdle = (): void => {
      isIdle = true;
      this.#wake();
    };
    void idle(stop.signal).then(onIdle);
    for (;;) {
      const chunk = this.#read();
      if (chunk !== undefined || this.#isEnded || isIdle) {
        stop.abort();
        return chunk;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Ends a wait of {@link next}. */
  interrupt(): void {
    this.#isInterrupted = true;
    this.#wake();
  }

  #read(): Uint8Array | undefined {
    // A stream of bytes gives bytes.
    return (this.#stream.read() as Uint8Array | null) ?? undefined;
  }

  /** Lets the stream run on into nothing, without keeping this process from ending. */
  [Symbol.dispose](): void {
    this.#stream.off('readable', this.#onReadable);
    this.#stream.resume();
    if ('unref' in this.#stream && typeof this.#stream.unref === 'function') this.#stream.unref();
  }
}

/** Two turns of the event loop more than the time, because a timer that is late comes before the data. */
async function idle(signal: AbortSignal): Promise<void> {
  try {
    await pause(idleMs, undefined, { signal });
    await nextTurn();
    await nextTurn();
  } catch {
    // No longer waited for.
  }
}
