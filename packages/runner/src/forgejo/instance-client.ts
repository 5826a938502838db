import { type CallOptions, type Client, createClient } from '@connectrpc/connect';
import { PingService, RunnerService } from '@forgejo-runner/protocol';
import type { ErrorCode } from '../error-codes.ts';
import { type InstanceError, instanceError } from './failures.ts';
import { openTransport, type TransportOptions } from './transport.ts';

/** One question that an instance answered, or not. */
export interface AskedQuestion {
  /** Name of the procedure, such as `FetchTask`. */
  readonly method: string;
  readonly durationMs: number;
  /** Missing where it was answered. */
  readonly failure?: ErrorCode;
}

/** What an {@link InstanceClient} is opened with. */
export interface ClientOptions extends TransportOptions {
  /** For questions that say nothing else. */
  readonly timeoutMs: number;
  /** Told of every question, when it is answered or failed. */
  readonly onAsked?: (asked: AskedQuestion) => void;
}

/** The procedures of one instance. Disposing closes its connections. */
export interface InstanceClient extends Disposable {
  readonly runner: Client<typeof RunnerService>;
  /**
   * Asks something: hands a time limit and the signal to `call`.
   *
   * @throws {InstanceError} where no answer came, or another one than was asked for. The reason of `signal` when that aborts.
   */
  readonly ask: <T>(method: string, call: (options: CallOptions) => Promise<T>, limits: AskLimits) => Promise<T>;
  /** Asks whether the instance answers at all. @throws {InstanceError} where it does not. */
  readonly ping: (signal: AbortSignal) => Promise<void>;
}

/** How long a question may take. */
export interface AskLimits {
  readonly signal: AbortSignal;
  readonly timeoutMs?: number;
}

/** Opens the way to an instance; nothing is sent yet. */
export function openInstanceClient(options: ClientOptions): InstanceClient {
  const { address, timeoutMs: usualMs, onAsked } = options;
  const { transport, ...closing } = openTransport(options);
  const pings = createClient(PingService, transport);
  const ask: InstanceClient['ask'] = async (method, call, { signal, timeoutMs = usualMs }) => {
    const startedAt = performance.now();
    const tell = (failure?: InstanceError): void =>
      onAsked?.({
        method,
        durationMs: performance.now() - startedAt,
        ...(failure === undefined ? {} : { failure: failure.failure.code }),
      });
    try {
      signal.throwIfAborted();
      const answer = await call({ signal, timeoutMs });
      tell();
      return answer;
    } catch (error) {
      // Nobody waits for the answer any more: no failure of the instance.
      signal.throwIfAborted();
      const failure = instanceError(error, { url: address.shown, timeoutMs });
      tell(failure);
      throw failure;
    }
  };
  return {
    runner: createClient(RunnerService, transport),
    ask,
    ping: async (signal) => {
      await ask('Ping', (limits) => pings.ping({ data: 'forgejo-runner' }, limits), { signal });
    },
    ...closing,
  };
}

const defaultTimeoutMs = 60_000;

/** How long a question may take where nothing says more: the Go runner's variable, in seconds. */
export function clientTimeoutMs(env: Readonly<Record<string, string | undefined>>): number {
  const seconds = Number(env['FORGEJO_CLIENT_TIMEOUT'] || Number.NaN);
  return Number.isFinite(seconds) && seconds > 0 ? Math.ceil(seconds * 1000) : defaultTimeoutMs;
}
