import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { ConnectRouter } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';

/** A server of the protocol that a test answers for. */
export interface ServedInstance extends AsyncDisposable {
  /** Where it listens: a URL, or the path of a socket. */
  readonly url: string;
  readonly requests: IncomingMessage[];
}

/** Where and how an instance is served. */
export interface ServeOptions {
  readonly path?: string;
  readonly socket?: string;
  readonly tls?: { readonly key: string; readonly cert: string };
  /** Answers in place of the protocol where it returns true. */
  readonly before?: (request: IncomingMessage, response: ServerResponse) => boolean;
}

/** Serves procedures below `/api/actions` of a path. */
export async function serveInstance(
  routes: (router: ConnectRouter) => void,
  options: ServeOptions = {},
): Promise<ServedInstance> {
  const requests: IncomingMessage[] = [];
  const path = options.path ?? '';
  const adapter = connectNodeAdapter({ routes, requestPathPrefix: `${path}/api/actions` });
  const listener: RequestListener = (request, response) => {
    requests.push(request);
    if (options.before?.(request, response) === true) return;
    adapter(request, response);
  };
  const server: Server = options.tls === undefined ? createServer(listener) : createTlsServer(options.tls, listener);
  await new Promise<void>((resolve) => {
    if (options.socket === undefined) server.listen(0, '127.0.0.1', resolve);
    else server.listen(options.socket, resolve);
  });
  const scheme = options.tls === undefined ? 'http' : 'https';
  return {
    url: options.socket ?? `${scheme}://localhost:${(server.address() as AddressInfo).port}${path}`,
    requests,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
