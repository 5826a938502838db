import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { BackendError, type CallContext } from '@forgejo-runner/core';

/** A socket of another machine, here. */
export interface SshForward extends AsyncDisposable {
  /** Path of the socket on this machine. */
  readonly socket: string;
  /** Path of it on the other one. */
  readonly remoteSocket: string;
  /** What ssh said last, for messages about a socket that does not answer. */
  readonly lastWords: () => string;
}

/** Where an engine is that is reached by ssh. */
export interface SshAddress {
  readonly user?: string;
  readonly host: string;
  readonly port?: number;
  readonly socket: string;
}

const defaultSocket = '/var/run/docker.sock';
const connectSeconds = 20;
/** A connection that is gone is noticed after three of these. */
const aliveSeconds = 15;
const firstPauseMs = 500;
const longestPauseMs = 30_000;
/** A connection that held that long was a good one: the next pause begins anew. */
const goodMs = 60_000;
const maxWords = 2000;

/**
 * Reads `ssh://user@host:port/path/of/socket`; only the host is needed.
 *
 * @throws BackendError `config` for what ssh could take for something else.
 */
export function parseSshAddress(address: string): SshAddress {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const user = decodeURIComponent(url?.username ?? '');
  const socket = decodeURIComponent(url?.pathname ?? '');
  // An URL of this scheme may hold any text as its host.
  const isHost = url !== undefined && /^(?:[A-Za-z0-9_][\w.-]*|\[[0-9a-fA-F:]+\])$/.test(url.hostname);
  const isUser = user === '' || /^[A-Za-z0-9_][\w.@\\-]*$/.test(user);
  const isSocket = socket === '' || socket === '/' || /^\/[^\0:\n]+$/.test(socket);
  if (!isHost || !isUser || !isSocket || url.password !== '' || url.search !== '' || url.hash !== '') {
    throw new BackendError(
      'config',
      `expected ssh://user@host:port/path/of/socket, found "${withoutPassword(address).slice(0, 200)}"`,
      {
        hint: 'correct the address of the engine; passwords cannot be given, keys are those of ssh',
      },
    );
  }
  return {
    ...(user === '' ? {} : { user }),
    host: url.hostname.replaceAll(/^\[|\]$/g, ''),
    ...(url.port === '' ? {} : { port: Number(url.port) }),
    socket: socket === '' || socket === '/' ? defaultSocket : socket,
  };
}

function withoutPassword(address: string): string {
  return address.replace(/:[^:@/]*@/, ':***@');
}

/**
 * Forwards the socket of an engine by the system's ssh, with everything that its configuration says about the host: one
 * connection for all requests, which is made again when it breaks.
 *
 * @throws BackendError `unavailable` with the words of ssh when there is no connection in time.
 */
export async function openSshForward(address: SshAddress, ctx: CallContext): Promise<SshForward> {
  const folder = await mkdtemp(join(tmpdir(), 'forgejo-runner-ssh-'));
  const forward = new Forward(address, join(folder, 'docker.sock'), ctx);
  const close = async (): Promise<void> => {
    await forward.close();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await forward.ready(ctx.signal);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    socket: forward.socket,
    remoteSocket: address.socket,
    lastWords: () => forward.words,
    [Symbol.asyncDispose]: close,
  };
}

/**
 * Runs ssh, and ends it when the input ends, which is when the runner does, however that happens. The folder goes with
 * it then; a connection that only broke finds it again.
 */
const leash = [
  'folder=$1; shift; exec 3<&0',
  '"$@" </dev/null 3<&- & child=$!',
  '{ read -r _ <&3; kill "$child"; rm -rf -- "$folder"; } 2>/dev/null & reader=$!',
  'wait "$child"; code=$?; kill "$reader" 2>/dev/null; exit "$code"',
].join('\n');

class Forward {
  readonly socket: string;
  words = '';
  readonly #address: SshAddress;
  readonly #log: CallContext['log'];
  readonly #closing = new AbortController();
  readonly #loop: Promise<void>;
  #child: ChildProcess | undefined;

  constructor(address: SshAddress, socket: string, { log }: Pick<CallContext, 'log'>) {
    this.#address = address;
    this.socket = socket;
    this.#log = log;
    this.#loop = this.#keep();
  }

  /** Waits for the socket. ssh makes it only when it is logged in. */
  async ready(signal: AbortSignal): Promise<void> {
    const until = Date.now() + connectSeconds * 1000;
    while (!(await exists(this.socket))) {
      if (signal.aborted) throw new BackendError('cancelled', 'cancelled before there was a connection by ssh');
      const isRefused = this.#child === undefined && this.words !== '';
      if (isRefused || Date.now() > until) throw this.#unreachable();
      await pause(25);
    }
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#end();
    await this.#loop;
  }

  async #keep(): Promise<void> {
    for (let pauseMs = firstPauseMs; !this.#closing.signal.aborted; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
      const startedMs = Date.now();
      await this.#run();
      if (this.#closing.signal.aborted) return;
      if (Date.now() - startedMs > goodMs) pauseMs = firstPauseMs;
      this.#log.warn(`the connection by ssh to ${this.#address.host} ended: ${this.words || 'ssh said nothing'}`);
      await pause(pauseMs, undefined, { signal: this.#closing.signal, ref: false }).catch(() => {});
    }
  }

  async #run(): Promise<void> {
    this.words = '';
    await rm(this.socket, { force: true });
    // A group of its own: a signal for the runner's must not cut the connection that its jobs are being ended by.
    const child = spawn(
      '/bin/sh',
      ['-c', leash, 'sh', dirname(this.socket), 'ssh', ...sshArguments(this.#address, this.socket)],
      {
        stdio: ['pipe', 'ignore', 'pipe'],
        detached: true,
      },
    );
    this.#child = child;
    child.stdin.on('error', () => {});
    child.stderr.on('data', (chunk: Buffer) => {
      this.words = (this.words + chunk.toString('utf8')).slice(-maxWords);
    });
    await once(child, 'close').catch((error: unknown) => {
      this.words = `cannot start ssh: ${error instanceof Error ? error.message : String(error)}`;
    });
    if (this.words === '') this.words = `ssh ended with code ${child.exitCode ?? 'none'}`;
    this.words = this.words.trim();
    this.#child = undefined;
  }

  #end(): void {
    const { pid } = this.#child ?? {};
    try {
      if (pid !== undefined) process.kill(-pid, 'SIGKILL');
    } catch {
      // It has ended already.
    }
  }

  #unreachable(): BackendError {
    const { host, user } = this.#address;
    const found = this.words === '' ? `nothing within ${connectSeconds} s` : `"${this.words.slice(-500)}"`;
    return new BackendError('unavailable', `expected a connection by ssh to ${host}, found ${found}`, {
      resource: host,
      hint: `try "ssh ${user === undefined ? '' : `${user}@`}${host}" as the user of the runner: it must work without a question`,
    });
  }
}

function sshArguments({ user, host, port, socket }: SshAddress, local: string): readonly string[] {
  const options = {
    // Nobody is there to answer.
    BatchMode: 'yes',
    ConnectTimeout: String(connectSeconds),
    ExitOnForwardFailure: 'yes',
    ServerAliveInterval: String(aliveSeconds),
    ServerAliveCountMax: '3',
    StreamLocalBindUnlink: 'yes',
    StreamLocalBindMask: '0177',
    // A master that the user has for other things would take the forwarding over and outlive us.
    ControlMaster: 'no',
    ControlPath: 'none',
    LogLevel: 'ERROR',
  };
  return [
    '-N',
    '-T',
    ...Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]),
    ...(port === undefined ? [] : ['-p', String(port)]),
    '-L',
    `${local}:${socket}`,
    ...(user === undefined ? [] : ['-l', user]),
    '--',
    host,
  ];
}

async function exists(file: string): Promise<boolean> {
  return stat(file).then(
    () => true,
    () => false,
  );
}
