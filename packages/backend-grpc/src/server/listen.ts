import { once } from 'node:events';
import { chmod, lstat, rm } from 'node:fs/promises';
import {
  createSecureServer,
  createServer,
  type Http2SecureServer,
  type Http2Server,
  type Http2Session,
  type ServerHttp2Session,
} from 'node:http2';
import { connect } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { ConnectRouter } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { BackendError, type Logger } from '@forgejo-runner/core';
import { type Address, addressText } from '../address.ts';
import { peerOf, readTls, type TlsConfig, type TlsMaterial, whyNotPinned } from '../tls.ts';

/** Where to listen, and to whom. */
export interface ListenOptions {
  readonly address: Address;
  readonly tls?: TlsConfig;
  readonly insecureTcp: boolean;
  readonly log: Logger;
}

/** A server that listens. Disposing it ends every connection. */
export interface Listening extends AsyncDisposable {
  readonly address: Address;
}

const connectionWindowBytes = 64 * 1024 * 1024;
const streamWindowBytes = 1024 * 1024;

/** Listens for gRPC. @throws BackendError `config` where that would be open to everybody, or cannot be. */
export async function listen(routes: (router: ConnectRouter) => void, options: ListenOptions): Promise<Listening> {
  const tls = await checkedTls(options);
  const handler = connectNodeAdapter({
    routes,
    connect: false,
    grpcWeb: false,
    acceptCompression: [],
    // What the Go runner sends at most.
    readMaxBytes: 32 * 1024 * 1024,
  });
  const server = makeServer(tls);
  server.on('request', handler);
  const sessions = watchSessions(server, tls, options.log);
  const { address } = options;
  if (address.kind === 'unix') await removeStale(address.path);
  await bind(server, address);
  const found = server.address();
  const bound: Address =
    address.kind === 'tcp' && typeof found === 'object' && found !== null ? { ...address, port: found.port } : address;
  return {
    address: bound,
    [Symbol.asyncDispose]: async () => {
      server.close();
      for (const session of sessions) session.destroy();
      if (address.kind === 'unix') await rm(address.path, { force: true });
    },
  };
}

async function checkedTls({ address, tls, insecureTcp }: ListenOptions): Promise<TlsMaterial | undefined> {
  if (tls === undefined) {
    if (address.kind === 'unix' || insecureTcp) return undefined;
    throw new BackendError('config', `expected TLS for ${addressText(address)}, found none`, {
      hint: 'whoever reaches the port may run what they like: give a certificate, key and ca, or listen at unix:///path',
    });
  }
  const { cert, key, ca, ...rest } = await readTls(tls);
  if (cert === undefined || key === undefined) {
    throw new BackendError('config', 'expected cert and key of the server, found none');
  }
  if (ca === undefined && rest.pinned.length === 0) {
    throw new BackendError('config', 'expected ca or pinned, so that only known runners are let in, found neither');
  }
  return { cert, key, ...(ca === undefined ? {} : { ca }), ...rest };
}

function makeServer(tls: TlsMaterial | undefined): Http2Server | Http2SecureServer {
  const settings = { initialWindowSize: streamWindowBytes, maxConcurrentStreams: 1000 };
  if (tls === undefined) return createServer({ settings });
  const { cert, key, ca } = tls;
  return createSecureServer({
    settings,
    minVersion: 'TLSv1.3',
    requestCert: true,
    // What is pinned is compared below, and needs no authority.
    rejectUnauthorized: ca !== undefined,
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(ca === undefined ? {} : { ca }),
  });
}

function watchSessions(
  server: Http2Server | Http2SecureServer,
  tls: TlsMaterial | undefined,
  log: Logger,
): ReadonlySet<Http2Session> {
  const sessions = new Set<Http2Session>();
  server.on('session', (session: ServerHttp2Session) => {
    const { socket } = session;
    const peer = socket instanceof TLSSocket ? peerOf(socket) : undefined;
    const problem = tls === undefined ? undefined : whyNotPinned(peer, tls.pinned);
    if (problem !== undefined) {
      log.warn('refused a connection', { problem });
      session.destroy();
      return;
    }
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    session.on('error', (error) => log.debug('a connection failed', { error }));
    session.setLocalWindowSize(connectionWindowBytes);
  });
  server.on('tlsClientError', (error: Error) => log.warn('refused a connection', { problem: error.message }));
  return sessions;
}

async function bind(server: Http2Server | Http2SecureServer, address: Address): Promise<void> {
  // The socket must never be open to others, not even for the moment until its mode is set.
  const before = address.kind === 'unix' ? process.umask(0o177) : undefined;
  try {
    if (address.kind === 'unix') server.listen(address.path);
    else server.listen(address.port, address.host);
  } finally {
    if (before !== undefined) process.umask(before);
  }
  try {
    await once(server, 'listening');
    if (address.kind === 'unix') await chmod(address.path, 0o600);
  } catch (error) {
    server.close();
    const why = error instanceof Error ? error.message : String(error);
    throw new BackendError('config', `cannot listen at ${addressText(address)}: ${why}`, { cause: error });
  }
}

/** A socket that a dead server left is in the way; one that a living server has is not ours. */
async function removeStale(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw new BackendError('config', `expected no file at "${path}", found one that is no socket`);
  const isAnswered = await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
  if (isAnswered) throw new BackendError('config', `another server listens at "${path}"`);
  await rm(path, { force: true });
}
