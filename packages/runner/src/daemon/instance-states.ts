import type { AskedQuestion } from '../forgejo/instance-client.ts';

/** How an instance answered last. */
export interface InstanceState {
  readonly connection: string;
  readonly url: string;
  /** Milliseconds since the epoch; missing where it never answered. */
  readonly answeredAtMs?: number;
  /** Code of the failure, where the last question failed. */
  readonly failure?: string;
}

/** Remembers how the instances answered. */
export class InstanceStates {
  readonly #states = new Map<string, InstanceState>();

  constructor(connections: readonly { readonly name: string; readonly url: string }[]) {
    for (const { name, url } of connections) this.#states.set(name, { connection: name, url });
  }

  see(connection: string, { failure }: AskedQuestion): void {
    const state = this.#states.get(connection);
    if (state === undefined) return;
    const { failure: _before, ...rest } = state;
    const next = failure === undefined ? { ...rest, answeredAtMs: Date.now() } : { ...rest, failure };
    this.#states.set(connection, next);
  }

  list(): readonly InstanceState[] {
    return [...this.#states.values()];
  }

  /** Names of connections whose instance does not answer. */
  silent(): readonly string[] {
    return this.list()
      .filter(({ answeredAtMs, failure }) => answeredAtMs === undefined || failure !== undefined)
      .map(({ connection }) => connection);
  }
}
