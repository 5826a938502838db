import { type CallOptions, type Client, createClient } from '@connectrpc/connect';
import { apiVersion, BackendError, type Logger, type Owner } from '@forgejo-runner/core';
import { cancelled } from '@forgejo-runner/kit';
import { type Channel, type ChannelOptions, openChannel } from '../channel.ts';
import { addressText } from '../address.ts';
import { BackendService, type DescribeResponse } from '../gen/forgejo/runner/backend/v1/backend_pb.ts';
import { Health } from '../gen/grpc/health/v1/health_pb.ts';
import { defaultChunkBytes, largestChunkBytes, type Limits } from '../limits.ts';
import { jsonOf } from '../plan-messages.ts';
import { errorOfStatus } from '../platform-errors.ts';
import { checkHealth } from './check-health.ts';

/** What a connection is opened with. */
export interface ConnectionOptions extends Omit<ChannelOptions, 'connectMs' | 'maxMessageBytes'> {
  readonly owner: Owner;
  /** `options` of the configuration. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly limits: Limits;
  readonly log: Logger;
}

/** What a call may take, and who ends it. */
export interface CallLimit {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/** Minor versions of the protocol that this client speaks. */
const minors: readonly number[] = [0];

/** A connection to a server that speaks our own protocol. */
export class Connection implements AsyncDisposable {
  readonly client: Client<typeof BackendService>;
  /** The server in words, for messages. */
  readonly name: string;
  readonly owner: Owner;
  readonly limits: Limits;
  readonly log: Logger;
  readonly channel: Channel;
  /** Called after a connection was opened again: the server may be another one. Never rejects. */
  onReconnect: () => Promise<void> = async () => {};
  readonly #health: Client<typeof Health>;
  readonly #options: ConnectionOptions['options'];
  #described: { readonly at: number; readonly as: DescribeResponse } | undefined;
  #greeting: Promise<void> | undefined;

  constructor(options: ConnectionOptions) {
    const { limits, owner, log, address, tls } = options;
    this.channel = openChannel({
      address,
      ...(tls === undefined ? {} : { tls }),
      connectMs: limits.connectMs,
      maxMessageBytes: largestChunkBytes + 1024 * 1024,
    });
    this.client = createClient(BackendService, this.channel.transport);
    this.#health = createClient(Health, this.channel.transport);
    this.name = `the plugin at ${addressText(address)}`;
    this.owner = owner;
    this.limits = limits;
    this.log = log;
    this.#options = options.options;
  }

  /** Data that fits into one message. */
  get chunkBytes(): number {
    const told = this.#described?.as.maxChunkBytes ?? 0;
    return told === 0 ? defaultChunkBytes : Math.min(told, largestChunkBytes);
  }

  has(feature: string): boolean {
    return this.#described?.as.features.includes(feature) ?? false;
  }

  /**
   * Makes sure that somebody is there who speaks our protocol. Asks again only where the connection is another one.
   *
   * @throws BackendError `unavailable` where nobody answers, `unsupported` where they do not speak it.
   */
  async ready(limit: CallLimit = {}): Promise<void> {
    if (this.#described?.at === this.channel.opened()) return;
    this.#greeting ??= this.#greet().finally(() => {
      this.#greeting = undefined;
    });
    await orAborted(this.#greeting, limit.signal, `connecting to ${this.name}`);
  }

  async #greet(): Promise<void> {
    const isFirst = this.#described === undefined;
    const what = `connecting to ${this.name}`;
    await this.checkHealth(what);
    const as = await this.call(what, {}, (options) =>
      this.client.describe(
        { owner: this.owner, runnerVersion: apiVersion, protocolMinors: [...minors], config: jsonOf(this.#options) },
        options,
      ),
    );
    if (!minors.includes(as.protocolMinor)) {
      throw new BackendError(
        'unsupported',
        `${this.name} speaks minor version ${as.protocolMinor} of the protocol, which nobody asked for`,
      );
    }
    this.#described = { at: this.channel.opened(), as };
    if (as.features.includes('keepalive-30s')) this.channel.keepAlive(30_000);
    if (isFirst) return;
    this.log.info('connected to a plugin again', { plugin: this.name });
    await this.onReconnect();
  }

  /** @throws BackendError `unavailable` where the server says that it does not serve. */
  async checkHealth(what: string, limit: CallLimit = {}): Promise<void> {
    await checkHealth(this.#health, what, this.#limited(limit));
  }

  /** One call with one answer. @throws BackendError in the words of the contract. */
  async call<T>(what: string, limit: CallLimit, run: (options: CallOptions) => Promise<T>): Promise<T> {
    try {
      return await run(this.#limited(limit));
    } catch (error) {
      if (limit.signal?.aborted === true) throw cancelled(what);
      throw errorOfStatus(error, what);
    }
  }

  #limited({ signal, timeoutMs = this.limits.answerMs }: CallLimit): CallOptions {
    return { timeoutMs, ...(signal === undefined ? {} : { signal }) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.channel[Symbol.asyncDispose]();
  }
}

async function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined, what: string): Promise<T> {
  if (signal === undefined) return work;
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(cancelled(what));
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
    work.catch(() => {});
  }
}
