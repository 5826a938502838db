import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A server of a test's own. */
export interface BrokenRegistry extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** What clients showed as their login. */
  readonly logins: () => readonly string[];
}

type Answer = (request: IncomingMessage, response: ServerResponse, own: string) => void | Promise<void>;

/** A registry in front of another that changes one byte of every tarball. */
export function tamperingRegistry(target: string): Promise<BrokenRegistry> {
  return open(async (request, response, own) => {
    const answer = await fetch(`${target}${request.url ?? ''}`, { headers: { accept: 'application/json' } });
    const body = Buffer.from(await answer.arrayBuffer());
    const isTarball = request.url?.endsWith('.tgz') === true;
    if (isTarball) body[body.length - 1] = (body.at(-1) ?? 0) ^ 1;
    const content = isTarball ? body : body.toString().replaceAll(target, own);
    response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' }).end(content);
  });
}

/** A registry that lets nobody in. */
export function refusingRegistry(): Promise<BrokenRegistry> {
  return open((_, response) => {
    response.writeHead(401, { 'content-type': 'application/json' }).end('{"error":"no"}');
  });
}

/** A registry that takes a request and never answers. */
export function silentRegistry(): Promise<BrokenRegistry> {
  return open(() => undefined);
}

async function open(answer: Answer): Promise<BrokenRegistry> {
  const logins: string[] = [];
  const server = createServer((request, response) => {
    logins.push(request.headers.authorization ?? '');
    void answer(request, response, urlOf(server));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: urlOf(server),
    port: portOf(server),
    logins: () => logins,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

function urlOf(server: Server): string {
  return `http://127.0.0.1:${portOf(server)}`;
}
