import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { getCACertificates } from 'node:tls';
import { type Interceptor, type Transport } from '@connectrpc/connect';
import { compressionGzip, createConnectTransport } from '@connectrpc/connect-node';
import type { InstanceAddress } from './instance-url.ts';

/** How an instance is asked. */
export interface TransportOptions {
  readonly address: InstanceAddress;
  /** Headers of every request. */
  readonly headers: Readonly<Record<string, string>>;
  /**
   * `json` is the default: the numbers of fields that only Forgejo has are not public, so `binary` does without them.
   */
  readonly codec: 'json' | 'binary';
  /** Takes any certificate. */
  readonly insecure: boolean;
  /** PEM of authorities beside those that the system and Node know. */
  readonly ca?: string;
  /** For `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, in either case. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Told of the headers of every answer. */
  readonly onAnswer?: (headers: Headers) => void;
}

/** A way to an instance, with connections that are kept between requests. Disposing closes them. */
export interface InstanceTransport extends Disposable {
  readonly transport: Transport;
}

/** More than any task that Forgejo makes: a workflow of 1 MiB, and the payload of an event. */
const answerLimitBytes = 32 * 1024 * 1024;
/** Below this, packing costs more than it saves on any network. */
const packFromBytes = 4096;

/** Opens a way to an instance; nothing is sent yet. */
export function openTransport(options: TransportOptions): InstanceTransport {
  const { address, codec, insecure, ca, env } = options;
  const common = { keepAlive: true, ...(address.socketPath === undefined ? { proxyEnv: env } : {}) };
  const agent = address.isTls
    ? new HttpsAgent({
        ...common,
        rejectUnauthorized: !insecure,
        ...(ca === undefined ? {} : { ca: [...getCACertificates('default'), ca] }),
      })
    : new HttpAgent(common);
  const transport = createConnectTransport({
    baseUrl: `${address.baseUrl}/api/actions`,
    httpVersion: '1.1',
    useBinaryFormat: codec === 'binary',
    interceptors: [addHeaders(options)],
    sendCompression: compressionGzip,
    compressMinBytes: packFromBytes,
    acceptCompression: [compressionGzip],
    readMaxBytes: answerLimitBytes,
    nodeOptions: { agent, ...(address.socketPath === undefined ? {} : { socketPath: address.socketPath }) },
  });
  return { transport, [Symbol.dispose]: () => agent.destroy() };
}

function addHeaders({ headers, onAnswer }: TransportOptions): Interceptor {
  return (next) => async (request) => {
    for (const [name, value] of Object.entries(headers)) request.header.set(name, value);
    const answer = await next(request);
    onAnswer?.(answer.header);
    return answer;
  };
}
