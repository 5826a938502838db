import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** How a child process is started. */
export interface ChildOptions {
  readonly cwd: string;
  /** All that the child sees: nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  /** More output than this is dropped. */
  readonly outputLimitBytes?: number;
}

/** How a child process ended. */
export interface ChildResult {
  readonly code: number | undefined;
  readonly killedBy: NodeJS.Signals | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

const alive = new Set<number>();
const killAfterMs = 2000;

function signalGroup(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, name);
  } catch {
    // It is gone already.
  }
}

/** Ends at once every child that still runs, with its descendants: for a process that is about to exit. */
export function killChildren(): void {
  for (const pid of alive) signalGroup(pid, 'SIGKILL');
}

/**
 * Runs a program to its end. It leads a process group of its own, so that aborting ends what it started as well
 * (npm starts git, git starts helpers).
 *
 * @throws The reason of `signal` when it aborts, after the group is gone; what `spawn` reports when it cannot start.
 */
export async function runChild(
  command: string,
  args: readonly string[],
  options: ChildOptions,
  signal: AbortSignal,
): Promise<ChildResult> {
  signal.throwIfAborted();
  const child = spawn(command, [...args], {
    cwd: options.cwd,
    env: { ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: process.platform !== 'win32',
    windowsHide: true,
  });
  const stdout = gather(child.stdout, options.outputLimitBytes ?? 64 << 20);
  const stderr = gather(child.stderr, options.outputLimitBytes ?? 64 << 20);
  const { code, killedBy } = await ended(child, signal);
  signal.throwIfAborted();
  return { code, killedBy, stdout: stdout(), stderr: stderr() };
}

function gather(stream: NodeJS.ReadableStream, limitBytes: number): () => string {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.on('data', (chunk: Buffer) => {
    if (size < limitBytes) chunks.push(chunk);
    size += chunk.length;
  });
  return () => Buffer.concat(chunks).toString('utf8');
}

async function ended(
  child: ChildProcess,
  signal: AbortSignal,
): Promise<{ readonly code: number | undefined; readonly killedBy: NodeJS.Signals | undefined }> {
  const { pid } = child;
  let timer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    if (pid === undefined) return;
    signalGroup(pid, 'SIGTERM');
    timer = setTimeout(() => signalGroup(pid, 'SIGKILL'), killAfterMs);
  };
  if (pid !== undefined) alive.add(pid);
  signal.addEventListener('abort', stop, { once: true });
  try {
    // `close` comes after the pipes have ended, so nothing of the output is missing. It rejects on `error`.
    const [code, killedBy] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    if (signal.aborted && pid !== undefined) signalGroup(pid, 'SIGKILL');
    return { code: code ?? undefined, killedBy: killedBy ?? undefined };
  } finally {
    signal.removeEventListener('abort', stop);
    clearTimeout(timer);
    if (pid !== undefined) alive.delete(pid);
  }
}
