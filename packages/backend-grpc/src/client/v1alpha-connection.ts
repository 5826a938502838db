import { type CallOptions, type Client, Code, ConnectError, createClient } from '@connectrpc/connect';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { BackendError, type Logger } from '@forgejo-runner/core';
import { addressText } from '../address.ts';
import { type Channel, type ChannelOptions, openChannel } from '../channel.ts';
import {
  BackendPlugin,
  type CapabilitiesResponse,
  CapabilitiesResponseSchema,
} from '../gen/plugin/v1alpha/plugin_pb.ts';
import {
  BackendPlugin as DraftPlugin,
  type CapabilitiesResponse as DraftCapabilities,
  CapabilitiesResponseSchema as DraftCapabilitiesSchema,
} from '../gen/plugin/v1alpha_draft/plugin_pb.ts';
import { Health } from '../gen/grpc/health/v1/health_pb.ts';
import type { Limits } from '../limits.ts';
import { errorOfStatus, isConnectionLoss, plain } from '../platform-errors.ts';
import { checkHealth } from './check-health.ts';

/** What a connection to a plugin of the Go runner is opened with. */
export interface AlphaConnectionOptions extends Omit<ChannelOptions, 'connectMs' | 'maxMessageBytes'> {
  readonly limits: Limits;
  readonly log: Logger;
}

/** The limit of the Go runner, both ways. */
const maxMessageBytes = 32 * 1024 * 1024;

/** A connection to a plugin that was written for the Go runner. */
export class AlphaConnection implements AsyncDisposable {
  readonly client: Client<typeof BackendPlugin>;
  readonly draftClient: Client<typeof DraftPlugin>;
  readonly name: string;
  readonly limits: Limits;
  readonly log: Logger;
  readonly #channel: Channel;
  readonly #health: Client<typeof Health>;
  #seen = 0;
  #draft: DraftCapabilities | undefined;
  #later: LaterDraft | undefined;

  constructor({ limits, log, address, tls }: AlphaConnectionOptions) {
    this.#channel = openChannel({
      address,
      ...(tls === undefined ? {} : { tls }),
      connectMs: limits.connectMs,
      maxMessageBytes,
    });
    this.client = createClient(BackendPlugin, this.#channel.transport);
    this.#health = createClient(Health, this.#channel.transport);
    this.draftClient = createClient(DraftPlugin, this.#channel.transport);
    this.name = `the plugin at ${addressText(address)}`;
    this.limits = limits;
    this.log = log;
  }

  /** Present where the plugin speaks the first draft: what the released protocol tells of each environment. */
  get draft(): DraftCapabilities | undefined {
    return this.#draft;
  }

  /** What a later draft told of all its environments, where the released one tells it of each. */
  get later(): LaterDraft | undefined {
    return this.#later;
  }

  /**
   * Makes sure that a plugin is there. Asks again only where the connection is another one.
   *
   * @throws BackendError `unavailable`, or `unsupported` where nobody knows the protocol.
   */
  async ready(signal?: AbortSignal): Promise<void> {
    if (this.#seen === this.#channel.opened() && this.#seen > 0) return;
    const what = `connecting to ${this.name}`;
    try {
      const options = { timeoutMs: this.limits.answerMs, ...(signal === undefined ? {} : { signal }) };
      await this.checkHealth(options);
      const answer = await this.client.capabilities({}, options);
      if (answer.name === '') throw new BackendError('internal', `${this.name} has no name: it breaks the protocol`);
      const read = draftOf(answer);
      this.#draft = read?.kind === 'first' ? read.told : undefined;
      this.#later = read?.kind === 'later' ? read.told : undefined;
      this.#seen = this.#channel.opened();
      this.log.debug('a plugin answered', { plugin: this.name, name: plain(answer.name), draft: read?.kind ?? 'none' });
    } catch (error) {
      const code = ConnectError.from(error).code;
      const found = errorOfStatus(error, what);
      if (code === Code.DeadlineExceeded || isConnectionLoss(error)) {
        throw new BackendError('unavailable', found.message, { cause: error });
      }
      throw found;
    }
  }

  /** @throws BackendError `unavailable`. */
  async checkHealth(options: CallOptions): Promise<void> {
    await checkHealth(this.#health, `asking ${this.name} for its health`, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#channel[Symbol.asyncDispose]();
  }
}

/** System and search path, as plugins of the last draft before the release told them. */
export interface LaterDraft {
  readonly pathVariableName: string;
  readonly defaultPathVariable: string;
  readonly pathSeparator: string;
  readonly os: string;
  readonly arch: string;
}

type Draft =
  | { readonly kind: 'first'; readonly told: DraftCapabilities }
  | { readonly kind: 'later'; readonly told: LaterDraft };

/** Fields that the released protocol has not are those of a draft, which had the same name. */
function draftOf(answer: CapabilitiesResponse): Draft | undefined {
  if ((answer.$unknown ?? []).length === 0) return undefined;
  try {
    const read = fromBinary(DraftCapabilitiesSchema, toBinary(CapabilitiesResponseSchema, answer));
    if (/^(?:\/|[A-Za-z]:)/.test(read.rootPath)) return { kind: 'first', told: read };
    // The same numbers meant other things in between.
    const { rootPath, actPath, toolCachePath, defaultPathVariable, pathSeparator } = read;
    const told = {
      pathVariableName: rootPath,
      defaultPathVariable: actPath,
      pathSeparator: toolCachePath,
      os: defaultPathVariable,
      arch: pathSeparator,
    };
    return { kind: 'later', told };
  } catch {
    return undefined;
  }
}
