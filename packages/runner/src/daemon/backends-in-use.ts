import type { LabelLookup } from '../plan/planned-job.ts';
import type { OpenedBackends } from './backends.ts';

/** The backends that jobs get their places from. They may be replaced while jobs run on those before them. */
export class BackendsInUse implements AsyncDisposable {
  #current: Generation;
  readonly #closing = new Set<Promise<void>>();

  constructor(backends: OpenedBackends) {
    this.#current = { backends, users: 0, isReplaced: false };
  }

  get current(): OpenedBackends {
    return this.#current.backends;
  }

  /** Labels of a connection, whose backends stay open until this is disposed. */
  use(connection: string): { readonly labels: LabelLookup } & AsyncDisposable {
    const generation = this.#current;
    const served = generation.backends.labelsOf(connection);
    generation.users += 1;
    let isUsed = true;
    return {
      labels: { get: (name) => served.get(name), names: () => [...served.keys()] },
      [Symbol.asyncDispose]: async () => {
        if (!isUsed) return;
        isUsed = false;
        generation.users -= 1;
        if (generation.isReplaced && generation.users === 0) await this.#close(generation);
      },
    };
  }

  /** From now on these; those before are closed when their last job has ended. */
  async replace(backends: OpenedBackends): Promise<void> {
    const before = this.#current;
    before.isReplaced = true;
    this.#current = { backends, users: 0, isReplaced: false };
    if (before.users === 0) await this.#close(before);
  }

  async #close({ backends }: Generation): Promise<void> {
    const closing = Promise.resolve(backends[Symbol.asyncDispose]());
    this.#closing.add(closing);
    await closing;
    this.#closing.delete(closing);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#close(this.#current);
    await Promise.all(this.#closing);
  }
}

interface Generation {
  readonly backends: OpenedBackends;
  users: number;
  isReplaced: boolean;
}
