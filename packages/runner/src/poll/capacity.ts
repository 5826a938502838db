/** Places for jobs that one question to a server may fill. What was not occupied is free again when it is disposed. */
export interface Reservation extends Disposable {
  readonly count: number;
  /**
   * Turns one of them into the place of a job, which is free again when the job disposes it. More than `count` can be
   * had: what a server hands out beyond the question has to run as well.
   */
  readonly occupy: () => Disposable;
}

type Waiting = () => void;

/**
 * Places for jobs, shared by all connections of a daemon. Who asks waits in line, so that a busy instance takes its turn
 * behind one that has a job now and then.
 */
export class Capacity {
  #total: number;
  #used = 0;
  readonly #line: Waiting[] = [];

  constructor(total: number) {
    this.#total = total;
  }

  get total(): number {
    return this.#total;
  }

  /** Running jobs, and places that a question holds at this moment. */
  get used(): number {
    return this.#used;
  }

  /** From now on so many. Jobs that run go on, also those above it. */
  resize(total: number): void {
    this.#total = total;
    this.#serve();
  }

  /**
   * Waits in line for at least one free place and reserves its share: all that are free, or an equal part where others
   * wait behind, and never more than `most`.
   *
   * @throws the reason of `signal` when that aborts.
   */
  async reserve(most: number, signal: AbortSignal): Promise<Reservation> {
    signal.throwIfAborted();
    const turn = Promise.withResolvers<Reservation>();
    const waiting: Waiting = () => turn.resolve(this.#take(Math.min(most, this.#share())));
    const leave = (): void => {
      const at = this.#line.indexOf(waiting);
      if (at < 0) return;
      this.#line.splice(at, 1);
      turn.reject(signal.reason as Error);
    };
    this.#line.push(waiting);
    signal.addEventListener('abort', leave);
    this.#serve();
    try {
      return await turn.promise;
    } finally {
      signal.removeEventListener('abort', leave);
    }
  }

  #share(): number {
    return Math.max(1, Math.floor((this.#total - this.#used) / (this.#line.length + 1)));
  }

  #take(count: number): Reservation {
    this.#used += count;
    let left = count;
    return {
      count,
      occupy: () => {
        if (left > 0) left -= 1;
        else this.#used += 1;
        return onceDisposed(() => this.#release(1));
      },
      [Symbol.dispose]: () => {
        const unused = left;
        left = 0;
        if (unused > 0) this.#release(unused);
      },
    };
  }

  #release(count: number): void {
    this.#used -= count;
    this.#serve();
  }

  #serve(): void {
    while (this.#used < this.#total) {
      const next = this.#line.shift();
      if (next === undefined) return;
      next();
    }
  }
}

/** A place that is given back at the first disposal only. */
export function onceDisposed(dispose: () => void): Disposable {
  let isDisposed = false;
  return {
    [Symbol.dispose]: () => {
      if (isDisposed) return;
      isDisposed = true;
      dispose();
    },
  };
}
