import { readFileSync } from 'node:fs';
import type * as http from 'node:http';
import type * as https from 'node:https';
import type { GitHttpRequest, GitHttpResponse, HttpClient } from 'isomorphic-git';
import type { GitRemote } from './git.ts';
import { GitError, gitError } from './git-error.ts';

/** A server that says nothing for so long is one that is not there. */
const silenceMs = 60_000;
/** Packs are held in memory: more than any action that is meant to be fetched for each job. */
const maxBytes = 512 * 1024 * 1024;
const maxRedirects = 5;

interface Connection {
  readonly remote: GitRemote;
  readonly modules: { readonly http: typeof http; readonly https: typeof https };
  readonly agents: { readonly http: http.Agent; readonly https: https.Agent };
  readonly signal: AbortSignal;
  /** Where the server sent us, in place of the address that we were given. */
  base: string;
}

/**
 * HTTP for the git library. Its own loses errors in the middle of an answer, and with them the end of the wait; here
 * an answer is complete before anybody sees it. Sends the login to its server only, and follows nobody with it.
 *
 * @param env the runner's own environment, for proxies and certificates.
 */
export async function gitHttp(
  env: Readonly<Record<string, string | undefined>>,
  remote: GitRemote,
  signal: AbortSignal,
): Promise<HttpClient & Disposable> {
  // Loaded when they are needed: start-up should not pay for them.
  const modules = { http: await import('node:http'), https: await import('node:https') };
  const file = env['GIT_SSL_CAINFO'] ?? env['SSL_CERT_FILE'];
  const options = { keepAlive: true, proxyEnv: env };
  const agents = {
    http: new modules.http.Agent(options),
    https: new modules.https.Agent({ ...options, ...(file === undefined ? {} : { ca: readFileSync(file) }) }),
  };
  const connection: Connection = { remote, modules, agents, signal, base: remote.url };
  return {
    request: (request) => ask(connection, request),
    [Symbol.dispose]: () => {
      agents.http.destroy();
      agents.https.destroy();
    },
  };
}

async function ask(connection: Connection, request: GitHttpRequest): Promise<GitHttpResponse> {
  const { remote } = connection;
  const body = await collected(request.body);
  for (let redirects = 0; ; redirects += 1) {
    const url = connection.base + request.url.slice(remote.url.length);
    const response = await send(connection, { ...request, url }, body);
    const { statusCode, headers } = response;
    if (statusCode === 200) return response;
    const next = redirectedBase(url, request.url.slice(remote.url.length), headers?.['location']);
    const mayFollow = remote.login === undefined && request.method !== 'POST' && redirects < maxRedirects;
    if (statusCode < 300 || statusCode > 399 || next === undefined || !mayFollow)
      // In the words of git, so that both are understood alike.
      throw gitError(`fatal: unable to access '${remote.url}/': The requested URL returned error: ${statusCode}`);
    connection.base = next;
  }
}

/** As git itself does: the rest of the address has to stay, and all that follows goes to the new place. */
function redirectedBase(url: string, rest: string, location: string | undefined): string | undefined {
  const next = location === undefined ? null : URL.parse(location, url);
  if (next === null || !/^https?:$/.test(next.protocol) || !next.href.endsWith(rest)) return undefined;
  // Never from a protected connection to one that anybody can read or change.
  if (url.startsWith('https:') && next.protocol !== 'https:') return undefined;
  return next.href.slice(0, -rest.length);
}

async function send(
  { remote, modules, agents, signal }: Connection,
  { url, method = 'GET', headers = {} }: GitHttpRequest,
  body: Uint8Array | undefined,
): Promise<GitHttpResponse> {
  const late = AbortSignal.timeout(remote.timeoutMs);
  const isSecure = url.startsWith('https:');
  const request = (isSecure ? modules.https : modules.http).request(url, {
    method,
    headers: { ...headers, ...authorization(remote, url), 'accept-encoding': 'identity' },
    agent: isSecure ? agents.https : agents.http,
    signal: AbortSignal.any([signal, late]),
    timeout: silenceMs,
  });
  request.on('timeout', () => request.destroy(new GitError('network', 'the server says nothing')));
  try {
    const response = Promise.withResolvers<http.IncomingMessage>();
    request.once('response', response.resolve).on('error', response.reject);
    request.end(body);
    return await readResponse(await response.promise, url);
  } catch (error) {
    signal.throwIfAborted();
    if (late.aborted) throw new GitError('timeout', `no end within ${Math.ceil(remote.timeoutMs / 1000)} s`, error);
    throw networkError(error);
  } finally {
    request.destroy();
  }
}

async function readResponse(response: http.IncomingMessage, url: string): Promise<GitHttpResponse> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  // A stream of bytes; Node types what it yields as anything.
  for await (const chunk of response as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > maxBytes) throw new GitError('other', 'the repository is too big for the runner without git');
  }
  const headers = Object.fromEntries(
    Object.entries(response.headers).map(([name, value]) => [name, String(value ?? '')]),
  );
  const { statusCode = 0, statusMessage = '' } = response;
  // Among what the server says that it can, at the begin. The library would find an empty repository there.
  if (Buffer.concat(chunks.slice(0, 2)).subarray(0, 4096).includes('object-format=sha256'))
    throw needsGit('a repository with ids of SHA-256');
  return { url, statusCode, statusMessage, headers, body: iterate(chunks) };
}

/** What the library cannot do. */
export function needsGit(what: string): GitError {
  return new GitError('no-git', `${what} needs git on the PATH of the runner`);
}

async function* iterate(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

function authorization({ login }: GitRemote, url: string): Readonly<Record<string, string>> {
  if (login === undefined || !url.startsWith(`${login.origin}/`)) return {};
  const { username, password } = login.credentials;
  return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}` };
}

const unreachable =
  /^(?:ECONN|EHOST|ENET|ETIMEDOUT|ENOTFOUND|EAI_AGAIN|EPIPE|ERR_PROXY_TUNNEL|HPE_|ERR_STREAM_PREMATURE)/;

function networkError(error: unknown): GitError {
  if (error instanceof GitError) return error;
  const { code = '', message } = error as NodeJS.ErrnoException;
  return new GitError(unreachable.test(code) ? 'network' : 'other', message.slice(0, 300), error);
}

async function collected(body: GitHttpRequest['body']): Promise<Uint8Array | undefined> {
  if (body === undefined) return undefined;
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}
