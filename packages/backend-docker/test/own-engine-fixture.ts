import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { mountsBelow, unmount } from '@forgejo-runner/kit';
import { eventually, openTempFolder } from '@forgejo-runner/testkit';

/** An engine of a test's own, which it may stop, kill and fill up. */
export interface OwnEngine extends AsyncDisposable {
  readonly socket: string;
  readonly address: `unix://${string}`;
  /** Address with TLS; empty without certificates. */
  readonly tlsAddress: string;
  readonly docker: (...args: readonly string[]) => string;
  /** Ends the engine, as the kernel does when memory is short: nothing of it is warned. */
  readonly kill: () => Promise<void>;
  readonly start: () => Promise<void>;
}

export interface OwnEngineOptions {
  /** Most megabytes that it may write. Default: as many as the disk has. */
  readonly sizeMb?: number;
  /** Files with ca.pem, server.pem and server-key.pem. */
  readonly tlsFolder?: string;
}

/** Root may start one, and only where the programs are. */
export const canOwnEngine: boolean = process.getuid?.() === 0 && existsSync('/usr/sbin/dockerd');

/** Starts a dockerd with data, socket and networks of its own. */
export async function startOwnEngine(options: OwnEngineOptions = {}): Promise<OwnEngine> {
  // A short path: that of a socket must not be long.
  const folder = await openTempFolder('own-engine-');
  await folder.write({ 'data/.keep': '' });
  if (options.sizeMb !== undefined)
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${options.sizeMb}m`, 'tmpfs', folder.join('data')]);
  // A network of its own: an engine takes the bridge of another one for a rest of itself, and removes it.
  const space = `own-engine-${randomBytes(4).toString('hex')}`;
  execFileSync('ip', ['netns', 'add', space]);
  execFileSync('ip', ['-n', space, 'link', 'set', 'lo', 'up']);
  const socket = folder.join('d.sock');
  const tlsPort = options.tlsFolder === undefined ? 0 : await freePort();
  const docker = (...args: readonly string[]): string =>
    execFileSync('docker', ['-H', `unix://${socket}`, ...args], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: 60_000,
    }).trim();
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    // Its containerd ends with an engine that was killed, and where nobody collects it seems to run for ever.
    rmSync(folder.join('exec/containerd/containerd.pid'), { force: true });
    const daemon = daemonArguments(folder.path, socket, tlsPort, options.tlsFolder);
    child = spawn('nsenter', [`--net=/run/netns/${space}`, 'dockerd', ...daemon], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let log = '';
    child.stderr?.on('data', (chunk: Buffer) => (log = (log + chunk.toString()).slice(-5000)));
    const own = child;
    await eventually(
      () => {
        if (own.exitCode !== null) return true;
        return docker('version') !== '';
      },
      { what: 'an engine of its own', timeoutMs: 60_000, intervalMs: 100 },
    );
    if (own.exitCode !== null) throw new Error(`dockerd ended: ${log}`);
  };
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'exit');
    child.kill(signal);
    await closed;
  };
  await start();
  const relay = tlsPort === 0 ? undefined : await relayInto(space, tlsPort);
  return {
    socket,
    address: `unix://${socket}`,
    tlsAddress: tlsPort === 0 ? '' : `tcp://127.0.0.1:${tlsPort}`,
    docker,
    kill: () => end('SIGKILL'),
    start,
    [Symbol.asyncDispose]: async () => {
      relay?.close();
      await end('SIGTERM');
      await endRest(folder.path);
      for (const mount of await mountsBelow(folder.path)) await unmount(mount);
      execFileSync('ip', ['netns', 'delete', space]);
      await folder[Symbol.asyncDispose]();
    },
  };
}

function daemonArguments(
  folder: string,
  socket: string,
  tlsPort: number,
  tlsFolder: string | undefined,
): readonly string[] {
  const tls = [
    '--tlsverify',
    '--tlscacert',
    `${tlsFolder}/ca.pem`,
    '--tlscert',
    `${tlsFolder}/server.pem`,
    '--tlskey',
    `${tlsFolder}/server-key.pem`,
  ];
  return [
    '-H',
    `unix://${socket}`,
    '--data-root',
    `${folder}/data`,
    '--exec-root',
    `${folder}/exec`,
    '--pidfile',
    `${folder}/pid`,
    '--iptables=false',
    ...(tlsPort === 0 ? [] : ['-H', `tcp://127.0.0.1:${tlsPort}`, ...tls]),
  ];
}

/** What an engine that was killed leaves running: its containerd, and who looks after its containers. */
async function endRest(folder: string): Promise<void> {
  const pids = (): readonly number[] =>
    execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.includes(`${folder}/exec`))
      .map((line) => Number(line.trim().split(' ')[0]));
  await eventually(
    () => {
      const left = pids();
      for (const pid of left) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It has ended meanwhile.
        }
      }
      return left.length === 0;
    },
    { what: 'the rest of an engine to end', timeoutMs: 30_000 },
  );
}

/** Passes connections to a port of this machine on to the same port in the network of an engine. */
async function relayInto(space: string, port: number): Promise<Server> {
  const server = createServer((socket) => {
    const pipe = spawn('nsenter', [`--net=/run/netns/${space}`, 'busybox', 'nc', '127.0.0.1', String(port)], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    // Either side may go at any time.
    for (const stream of [socket, pipe.stdin, pipe.stdout]) stream.on('error', () => {});
    socket.pipe(pipe.stdin);
    pipe.stdout.pipe(socket);
    socket.once('close', () => pipe.kill('SIGKILL'));
  });
  await once(server.listen(port, '127.0.0.1'), 'listening');
  return server;
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  // A port, because it listens on an address.
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}
