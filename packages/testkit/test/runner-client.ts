import { type Client, Code, ConnectError, createClient, type Interceptor } from '@connectrpc/connect';
import { compressionGzip, createConnectTransport } from '@connectrpc/connect-node';
import { PingService, RunnerService } from '@forgejo-runner/protocol';
import type { FakeForgejo } from '../src/index.ts';

/** How a test asks a server. */
export interface ClientOptions {
  readonly uuid?: string;
  readonly token?: string;
  readonly requestKey?: string;
  readonly binary?: boolean;
  readonly gzip?: boolean;
  readonly socketPath?: string;
}

/** Clients of both services. */
export function clientOf(
  forgejo: FakeForgejo,
  options: ClientOptions = {},
): Client<typeof RunnerService> & Client<typeof PingService> {
  const identify: Interceptor = (next) => (request) => {
    if (options.uuid !== undefined) request.header.set('x-runner-uuid', options.uuid);
    if (options.token !== undefined) request.header.set('x-runner-token', options.token);
    if (options.requestKey !== undefined) request.header.set('x-runner-request-key', options.requestKey);
    return next(request);
  };
  const transport = createConnectTransport({
    baseUrl: options.socketPath === undefined ? `${forgejo.url}/api/actions` : 'http://localhost/api/actions',
    httpVersion: '1.1',
    useBinaryFormat: options.binary ?? false,
    interceptors: [identify],
    ...(options.gzip === true ? { sendCompression: compressionGzip, compressMinBytes: 0 } : {}),
    ...(options.socketPath === undefined ? {} : { nodeOptions: { socketPath: options.socketPath } }),
  });
  return { ...createClient(RunnerService, transport), ...createClient(PingService, transport) };
}

/** The word and the text of an error; the test fails where there is none. */
export async function failureOf(answer: Promise<unknown>): Promise<string> {
  try {
    await answer;
  } catch (error) {
    const { code, rawMessage } = ConnectError.from(error);
    return `${Code[code]}: ${rawMessage}`;
  }
  throw new Error('expected an error, found an answer');
}
