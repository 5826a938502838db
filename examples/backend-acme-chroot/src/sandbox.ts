import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { cancelled } from '@forgejo-runner/kit';
import { setupError } from './platform-errors.ts';
import { initScript, setupScript } from './setup-script.ts';
import type { Tools } from './tools.ts';

/** How to make a sandbox from a root folder that is laid out. */
export interface SandboxRequest {
  readonly name: string;
  readonly root: string;
  readonly mounts: readonly string[];
  readonly network: 'host' | 'none';
  readonly expiresAt: number;
}

/** A set of namespaces with a first process in it. */
export interface Sandbox {
  /** Of the outermost process in it: who ends that one ends all. */
  readonly initPid: number;
  /** A command line of the machine, up to the program to run inside. */
  readonly enter: readonly [string, ...string[]];
  readonly isAlive: () => boolean;
  /** Ends every process inside, and resolves when they are gone. */
  readonly close: () => Promise<void>;
}

/**
 * Starts the namespaces and their first process.
 *
 * @throws BackendError `unavailable` with the words of the machine, `cancelled` where `signal` aborts.
 */
export async function openSandbox(tools: Tools, request: SandboxRequest, signal: AbortSignal): Promise<Sandbox> {
  // An abort from before tells no listener.
  if (signal.aborted) throw cancelled(`setting up the sandbox "${request.name}"`);
  const child = startSetup(tools, request);
  const stop = (): void => void child.kill('SIGKILL');
  signal.addEventListener('abort', stop, { once: true });
  try {
    await untilReady(child, request.name, signal);
    // The first child of `unshare` is the outer namespaces' first process, and the only child of that one the inner's.
    const outer = await onlyChild(child.pid ?? 0, request.name);
    const inner = await onlyChild(outer, request.name);
    return sandbox(tools, request, { child, outer, inner });
  } catch (error) {
    stop();
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function startSetup(tools: Tools, request: SandboxRequest): ChildProcess {
  const seconds = String(Math.max(1, Math.ceil((request.expiresAt - Date.now()) / 1000)));
  const namespaces = ['--user', '--map-root-user', '--mount', '--pid', '--fork', '--kill-child'];
  const setup = ['/bin/sh', '-c', setupScript, 'setup', request.root, request.network, seconds, ...request.mounts];
  const argv = [...tools.prefix, tools.unshare, ...namespaces, '--', ...setup];
  const [program = '', ...rest] = argv;
  return spawn(program, rest, {
    cwd: '/',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', INIT: initScript },
    stdio: ['pipe', 'pipe', 'pipe'],
    // A signal to the runner's own group, such as a Ctrl-C, must leave it to the runner to end the sandbox.
    detached: true,
  });
}

async function untilReady(child: ChildProcess, name: string, signal: AbortSignal): Promise<void> {
  let words = '';
  child.stderr?.on('data', (chunk: Buffer) => {
    words = (words + chunk.toString('utf8')).slice(-4096);
  });
  // The runner closes it; that the sandbox is gone already is no error then.
  child.stdin?.on('error', () => {});
  const ready = new Promise<boolean>((resolve) => {
    child.stdout?.once('data', () => resolve(true));
    child.once('error', (error) => {
      words += error.message;
      resolve(false);
    });
    child.once('close', () => resolve(false));
  });
  if (await ready) return;
  if (signal.aborted) throw cancelled(`setting up the sandbox "${name}"`);
  throw setupError(name, words);
}

async function onlyChild(pid: number, name: string): Promise<number> {
  const list = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  const child = Number.parseInt(list, 10);
  if (Number.isNaN(child)) throw setupError(name, `process ${pid} has no child`);
  return child;
}

interface Processes {
  readonly child: ChildProcess;
  readonly outer: number;
  readonly inner: number;
}

function sandbox(tools: Tools, request: SandboxRequest, { child, outer, inner }: Processes): Sandbox {
  const namespaces = ['--user', '--mount', '--pid', '--ipc', ...(request.network === 'none' ? ['--net'] : [])];
  const target = ['--target', String(inner), ...namespaces, '--preserve-credentials', '--'];
  const [first = tools.nsenter, ...rest] = [...tools.prefix, tools.nsenter, ...target];
  const isAlive = (): boolean => child.exitCode === null && child.signalCode === null;
  return {
    initPid: outer,
    enter: [first, ...rest],
    isAlive,
    close: async () => {
      if (!isAlive()) return;
      const gone = once(child, 'exit');
      try {
        // Not `unshare` itself: it returns when the kernel has ended all that was inside.
        process.kill(outer, 'SIGKILL');
      } catch {
        child.kill('SIGKILL');
      }
      await gone;
    },
  };
}
