import { spawn } from 'node:child_process';
import { chmod } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { BackendError, type CallContext, type DockerEndpointDescriptor } from '@forgejo-runner/core';
import type { RunningContainer } from './container.ts';
import { attachArgv, insideEnv, runInside } from './exec.ts';

/** The engine of a container, at a socket of this machine. */
export interface DockerTunnel extends AsyncDisposable {
  readonly descriptor: DockerEndpointDescriptor;
}

/** An engine makes its networks first, on a machine that may be busy. */
const startMs = 60_000;

/**
 * Starts the engine of a container and lets the runner reach it. Each connection goes through a program inside: a path of
 * the container opened from here could be a symlink to anything of this machine.
 *
 * @throws BackendError `unavailable` when the engine does not start.
 */
export async function openDockerTunnel(
  container: RunningContainer,
  socketFile: string,
  ctx: CallContext,
): Promise<DockerTunnel> {
  await startEngine(container, ctx);
  const open = new Set<Socket>();
  const server = createServer((socket) => connect(container, socket, open));
  server.listen(socketFile);
  await once(server, 'listening');
  await chmod(socketFile, 0o600);
  return {
    descriptor: {
      address: `unix://${socketFile}`,
      binds: 'target-paths',
      publishedHost: '127.0.0.1',
      socketInTarget: '/var/run/docker.sock',
    },
    [Symbol.asyncDispose]: () => close(server, open),
  };
}

const startScript = [
  'command -v dockerd >/dev/null || exit 3',
  'docker version >/dev/null 2>&1 && exit 0',
  // A system with an init starts it by itself.
  'pidof systemd >/dev/null 2>&1 || [ -d /run/systemd/system ] || pidof dockerd >/dev/null 2>&1 ||',
  '  (setsid dockerd >/var/log/dockerd.log 2>&1 </dev/null &)',
  'exit 4',
].join('\n');

async function startEngine(container: RunningContainer, ctx: CallContext): Promise<void> {
  const end = Date.now() + startMs;
  for (;;) {
    const { code } = await runInside(container, ['sh', '-c', startScript], ctx);
    if (code === 0) return;
    if (code === 3) {
      throw new BackendError('unavailable', 'expected a Docker engine in the template, found no program "dockerd"', {
        resource: container.name,
        hint: 'install it in the template, or leave "docker" out of the label',
      });
    }
    if (Date.now() > end) {
      const words = await runInside(
        container,
        ['sh', '-c', 'tail -n 3 /var/log/dockerd.log || journalctl -u docker -n 3 --no-pager'],
        ctx,
      );
      throw new BackendError(
        'unavailable',
        `the Docker engine of container "${container.name}" did not start: ${words.stdout.trim().slice(-600)}`,
        {
          resource: container.name,
          hint: 'use the preset "docker", and a kernel with overlayfs and nftables or iptables',
        },
      );
    }
    await pause(200, undefined, { signal: ctx.signal }).catch(() => {
      throw new BackendError('cancelled', 'waiting for the Docker engine was cancelled');
    });
  }
}

function connect(container: RunningContainer, socket: Socket, open: Set<Socket>): void {
  const [program, ...args] = attachArgv(container, ['--', 'docker', 'system', 'dial-stdio']);
  const child = spawn(program, args, {
    cwd: '/',
    env: { ...insideEnv, ...container.marker.env },
    stdio: ['pipe', 'pipe', 'ignore'],
    detached: true,
  });
  open.add(socket);
  const end = (): void => {
    open.delete(socket);
    socket.destroy();
    // A process of root's, which sudo would not end for us, ends with its input and output.
    child.stdin.destroy();
    child.stdout.destroy();
    if (container.root.kind === 'root') child.kill('SIGKILL');
  };
  socket.on('error', end);
  socket.on('close', end);
  child.on('error', end);
  child.stdin.on('error', () => {});
  child.stdout.on('error', end);
  socket.pipe(child.stdin);
  child.stdout.pipe(socket);
}

async function close(server: Server, open: ReadonlySet<Socket>): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  for (const socket of open) socket.destroy();
  await closed;
}
