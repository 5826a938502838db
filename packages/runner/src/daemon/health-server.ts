import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import { quoted, UserError } from '../user-error.ts';
import { BackendHealths, readStatus, type StatusSources } from './status.ts';
import { statusPage, statusScript, statusStyle } from './status-page.ts';

/** Where and what a health listener serves. */
export interface HealthOptions extends StatusSources {
  /** `host:port`, `[host]:port` or a port of this machine. */
  readonly listen: string;
  /** What everything but the two probes wants; needed where others than this machine may ask. */
  readonly token?: string;
  readonly registry: Registry;
  /** The runner takes no more jobs. */
  readonly stopping: AbortSignal;
}

/** A listener that answers for the runner. */
export interface HealthServer extends AsyncDisposable {
  readonly url: string;
}

const tailRows = 200;

/** Starts answering. @throws {UserError} `FRR201` for an address that cannot be, or would show the status to everybody. */
export async function startHealthServer(options: HealthOptions): Promise<HealthServer> {
  const { host, port } = readListen(options.listen);
  if (options.token === undefined && !isLoopback(host)) {
    throw wrong(
      `expected health.token or health.token_url, because others can reach ${quoted(options.listen)}, found none`,
    );
  }
  const health = new BackendHealths(options.log);
  const server = createServer((request, response) => {
    answer(request, response, options, health).catch((error: unknown) => {
      options.log.error('a question for the status cannot be answered', { error });
      if (!response.headersSent) send(response, 500, 'text/plain', 'the runner has a defect\n');
      else response.destroy();
    });
  });
  server.requestTimeout = 10_000;
  server.maxConnections = 100;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(wrong(`expected to listen at ${quoted(options.listen)}, found ${error.code}`)),
    );
    server.listen(port, host, resolve);
  });
  // A listener on TCP has such an address.
  const bound = server.address() as AddressInfo;
  const shown = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
  return {
    url: `http://${shown}:${bound.port}`,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: HealthOptions,
  health: BackendHealths,
): Promise<void> {
  const path = URL.parse(request.url ?? '', 'http://runner')?.pathname ?? '';
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    return send(response, 405, 'text/plain', 'only GET\n');
  }
  if (path === '/healthz') return send(response, 200, 'text/plain', 'ok\n');
  if (path === '/readyz') return await sendReady(response, options, health);
  if (!isAllowed(request, options)) {
    response.setHeader('www-authenticate', 'Basic realm="Forgejo runner", charset="UTF-8"');
    return send(response, 401, 'text/plain', 'a token is needed: as a password, or as a bearer token\n');
  }
  if (path === '/') return send(response, 200, 'text/html', statusPage);
  if (path === '/status.css') return send(response, 200, 'text/css', statusStyle);
  if (path === '/status.js') return send(response, 200, 'text/javascript', statusScript);
  if (path === '/status.json') return sendJson(response, await readStatus(options, health));
  if (path === '/metrics') {
    return send(response, 200, options.registry.contentType, await options.registry.metrics());
  }
  const id = /^\/jobs\/([\w.-]+)\/tail$/.exec(path)?.[1];
  const job = id === undefined ? undefined : options.jobs().find((one) => one.id === id);
  if (job === undefined) return send(response, 404, 'text/plain', 'not found\n');
  const rows = await job.reporter.tail(tailRows);
  sendJson(response, { rows: rows.map(({ index, atMs, text }) => ({ index, atMs, text })) });
}

/** Ready to take work: every instance answered when it was asked last, and no backend is down. Strangers learn no names. */
async function sendReady(response: ServerResponse, options: HealthOptions, health: BackendHealths): Promise<void> {
  const { instances, stopping } = options;
  const backends = await health.read(options.backends());
  const down = backends.filter(({ status }) => status === 'down');
  const reasons = [
    ...(stopping.aborted ? ['the runner stops'] : []),
    ...unless(instances.silent().length, instances.list().length, 'instances do not answer'),
    ...unless(down.length, backends.length, 'backends are down'),
  ];
  if (reasons.length === 0) return send(response, 200, 'text/plain', 'ready\n');
  send(response, 503, 'text/plain', `not ready: ${reasons.join('; ')}\n`);
}

function unless(count: number, total: number, what: string): readonly string[] {
  return count === 0 ? [] : [`${count} of ${total} ${what}`];
}

/** By the token; without one by the name that was asked for, because a page of a stranger may give its own name our address. */
function isAllowed(request: IncomingMessage, { token }: HealthOptions): boolean {
  if (token === undefined) {
    const host = request.headers.host ?? '';
    return isLoopback(URL.parse(`http://${host}`)?.hostname.replace(/^\[|\]$/g, '') ?? '');
  }
  const [scheme = '', value = ''] = (request.headers.authorization ?? '').split(' ');
  if (/^bearer$/i.test(scheme)) return isSame(value, token);
  if (!/^basic$/i.test(scheme)) return false;
  return isSame(
    Buffer.from(value, 'base64')
      .toString('utf8')
      .replace(/^[^:]*:/, ''),
    token,
  );
}

/** Takes the same time whatever is wrong. */
function isSame(given: string, wanted: string): boolean {
  return timingSafeEqual(digest(given), digest(wanted));
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);
}

function readListen(text: string): { readonly host: string; readonly port: number } {
  const [, host = '127.0.0.1', port = ''] = /^(?:(.*):)?(\d{1,5})$/.exec(text.trim()) ?? [];
  const number = Number(port);
  if (port === '' || number > 65_535) throw wrong(`expected health.listen to be host:port, found ${quoted(text)}`);
  // `:9870` is how Go writes every address of the machine.
  return { host: host === '' ? '::' : host.replace(/^\[|\]$/g, ''), port: number };
}

function wrong(message: string): UserError {
  return new UserError('FRR201', { problems: [{ message }], next: 'docs/reference/config.md has all keys of health' });
}

function sendJson(response: ServerResponse, value: object): void {
  send(response, 200, 'application/json', JSON.stringify(value));
}

const policy =
  "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

function send(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    'content-type': type.includes('charset') ? type : `${type}; charset=utf-8`,
    'content-security-policy': policy,
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-store',
  });
  response.end(body);
}
