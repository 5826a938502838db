import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from 'node:http2';
import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls } from 'node:tls';
import { Code, ConnectError, type Transport } from '@connectrpc/connect';
import { createGrpcTransport, type GrpcTransportOptions } from '@connectrpc/connect-node';
import { type Address, addressText } from './address.ts';
import { peerOf, type TlsMaterial, whyNotPinned } from './tls.ts';

/** Where to connect, and how. */
export interface ChannelOptions {
  readonly address: Address;
  readonly tls?: TlsMaterial;
  readonly connectMs: number;
  /** The largest message that is read. */
  readonly maxMessageBytes: number;
}

/**
 * One connection to a server, opened when it is needed and opened again when it was lost. Disposing it closes the connection;
 * a call after that opens another one, which keeps no process alive.
 */
export interface Channel extends AsyncDisposable {
  readonly transport: Transport;
  /** How many connections were opened so far. Another number than before: the server may be another one as well. */
  readonly opened: () => number;
  /** Sends a PING every so often while calls are running; only where the server wants it. */
  readonly keepAlive: (intervalMs: number) => void;
}

/** What may be under way on one connection, all calls together: each may wait for its taker without the others. */
const connectionWindowBytes = 64 * 1024 * 1024;
const streamWindowBytes = 1024 * 1024;
const pingAnswerMs = 20_000;

/** Makes a channel. Connects with the first call. */
export function openChannel(options: ChannelOptions): Channel {
  const sessions = new Sessions(options);
  const transport = createGrpcTransport({
    baseUrl: sessions.authority,
    // It costs two thirds of the throughput, and output of jobs goes a few centimetres.
    acceptCompression: [],
    readMaxBytes: options.maxMessageBytes,
    sessionManager: sessions,
  });
  return {
    transport,
    opened: () => sessions.opened,
    keepAlive: (intervalMs) => sessions.keepAlive(intervalMs),
    [Symbol.asyncDispose]: () => sessions.close(),
  };
}

type SessionManager = NonNullable<GrpcTransportOptions['sessionManager']>;

class Sessions implements SessionManager {
  readonly authority: string;
  opened = 0;
  readonly #options: ChannelOptions;
  #current: Promise<ClientHttp2Session> | undefined;
  #pingMs: number | undefined;

  constructor(options: ChannelOptions) {
    this.#options = options;
    const { address, tls } = options;
    // A socket has no host, and HTTP wants one.
    const host = address.kind === 'unix' ? 'localhost' : addressText(address);
    // Through URL: the default port is left out there, and compared with.
    this.authority = new URL(`${tls === undefined ? 'http' : 'https'}://${host}`).origin;
  }

  async request(
    method: string,
    path: string,
    headers: Record<string, string | string[] | number | undefined>,
    options: object,
  ): Promise<ClientHttp2Stream> {
    for (let tries = 0; ; tries += 1) {
      const session = await this.#session();
      try {
        // Drafts of that protocol had its name already.
        const known = path.replace('/plugin.v1alpha_draft.', '/plugin.v1alpha.');
        const stream = session.request({ ...headers, ':method': method, ':path': known }, options);
        this.#hold(session, stream);
        return stream;
      } catch (error) {
        // It was closed while we looked away; a new one is opened once.
        if (tries > 0 || !(session.closed || session.destroyed)) throw error;
        this.#current = undefined;
      }
    }
  }

  notifyResponseByteRead(): void {}

  keepAlive(intervalMs: number): void {
    this.#pingMs = intervalMs;
  }

  async close(): Promise<void> {
    const session = await this.#current?.catch(() => undefined);
    this.#current = undefined;
    if (session === undefined || session.destroyed) return;
    await new Promise<void>((resolve) => {
      session.once('close', () => resolve());
      session.destroy();
    });
  }

  /** A call keeps the process alive, an idle connection does not. */
  #hold(session: ClientHttp2Session, stream: ClientHttp2Stream): void {
    const running = (held.get(session) ?? 0) + 1;
    held.set(session, running);
    if (running === 1) session.ref();
    stream.once('close', () => {
      const left = (held.get(session) ?? 1) - 1;
      held.set(session, left);
      if (left === 0 && !session.destroyed) session.unref();
    });
  }

  async #session(): Promise<ClientHttp2Session> {
    const current = this.#current;
    if (current !== undefined) {
      const session = await current.catch(() => undefined);
      if (session !== undefined && !session.closed && !session.destroyed) return session;
      if (this.#current === current) this.#current = undefined;
    }
    this.#current ??= this.#open();
    return this.#current;
  }

  async #open(): Promise<ClientHttp2Session> {
    const { address, connectMs } = this.#options;
    const signal = AbortSignal.timeout(connectMs);
    try {
      const socket = await openSocket(this.#options, signal);
      const session = await openSession(this.authority, socket, signal);
      this.opened += 1;
      session.unref();
      this.#watch(session);
      return session;
    } catch (error) {
      if (error instanceof ConnectError) throw error;
      const why = signal.aborted ? `no answer within ${connectMs / 1000} s` : textOf(error);
      throw new ConnectError(`${addressText(address)}: ${why}`, Code.Unavailable, undefined, undefined, error);
    }
  }

  #watch(session: ClientHttp2Session): void {
    // A stream tells of it; without a listener the process would end.
    session.on('error', () => {});
    session.on('goaway', () => {
      // Calls go on, new ones take a new connection.
      this.#current = undefined;
    });
    let isWaiting = false;
    const tick = (): void => {
      if (session.destroyed || session.closed || isWaiting) return;
      if ((held.get(session) ?? 0) === 0) return;
      isWaiting = true;
      const late = setTimeout(() => session.destroy(new Error('no answer to a PING')), pingAnswerMs);
      session.ping((error) => {
        clearTimeout(late);
        isWaiting = false;
        if (error !== null && !session.destroyed) session.destroy(error);
      });
    };
    let timer: NodeJS.Timeout | undefined;
    const schedule = (): void => {
      timer = setTimeout(() => {
        if (this.#pingMs !== undefined) tick();
        schedule();
      }, this.#pingMs ?? 30_000).unref();
    };
    schedule();
    session.once('close', () => clearTimeout(timer));
  }
}

/** Calls that run on a connection. */
const held = new WeakMap<ClientHttp2Session, number>();

function openSocket({ address, tls }: ChannelOptions, signal: AbortSignal): Promise<Socket> {
  const place = address.kind === 'unix' ? { path: address.path } : { host: address.host, port: address.port };
  if (tls === undefined) return opened(connectPlain(place), 'connect', signal);
  const { ca, cert, key, serverName, pinned } = tls;
  const host = serverName ?? (address.kind === 'tcp' ? address.host : 'localhost');
  const socket = connectTls({
    ...place,
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(isIP(host) === 0 ? { servername: host } : {}),
    minVersion: 'TLSv1.3',
    ALPNProtocols: ['h2'],
    // A pinned certificate needs neither an authority nor a name: it is the very one that was meant.
    rejectUnauthorized: pinned.length === 0 || ca !== undefined,
    checkServerIdentity: (_, found) => (pinned.length > 0 ? undefined : checkServerIdentity(host, found)),
  });
  return opened(socket, 'secureConnect', signal).then((open) => {
    const problem = whyNotPinned(peerOf(socket), pinned);
    if (problem === undefined) return open;
    socket.destroy();
    throw new ConnectError(problem, Code.Unauthenticated);
  });
}

function opened(socket: Socket, event: 'connect' | 'secureConnect', signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => {
      socket.destroy();
      reject(error);
    };
    const onAbort = (): void => fail(new Error('too late'));
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('error', fail);
    socket.once(event, () => {
      signal.removeEventListener('abort', onAbort);
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

function openSession(authority: string, socket: Socket, signal: AbortSignal): Promise<ClientHttp2Session> {
  const session = connectHttp2(authority, {
    createConnection: () => socket,
    settings: { initialWindowSize: streamWindowBytes, enablePush: false },
  });
  return new Promise((resolve, reject) => {
    const fail = (error?: Error): void => {
      session.destroy();
      socket.destroy();
      reject(error ?? new Error('the connection was closed at once'));
    };
    const onAbort = (): void => fail(new Error('too late'));
    signal.addEventListener('abort', onAbort, { once: true });
    const onClose = (): void => fail();
    session.once('error', fail);
    session.once('close', onClose);
    // After the handshake a server that wants another certificate says so by an alert, of which the session learns nothing.
    socket.on('error', fail);
    socket.once('close', onClose);
    // A server that accepts connections and says nothing is none: its settings are its first words.
    session.once('remoteSettings', () => {
      signal.removeEventListener('abort', onAbort);
      session.off('error', fail);
      session.off('close', onClose);
      socket.off('close', onClose);
      session.setLocalWindowSize(connectionWindowBytes);
      resolve(session);
    });
  });
}

function textOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return error.errors.map(textOf).join('; ');
  return error instanceof Error ? error.message : String(error);
}
