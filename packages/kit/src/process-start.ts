import { type ChildProcess, spawn, type StdioOptions } from 'node:child_process';
import { closeSync } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import { BackendError, type Env, type ExecRequest, type Signal } from '@forgejo-runner/core';
import { checkExecRequest } from './exec-request.ts';
import { errnoOf } from './file-errors.ts';
import type { PipeSource, ProcessPipe } from './output-pipes.ts';
import { startError } from './start-errors.ts';

/** How a process ended, in Node's words. */
export interface ProcessExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A process that runs, as the leader of a group. */
export interface StartedProcess {
  readonly pid: number;
  readonly stdout: Readable;
  readonly stderr: Readable;
  readonly stdin: Writable | undefined;
  readonly exited: Promise<ProcessExit>;
  /** Not reaped yet: its number is still its own. */
  readonly isRunning: () => boolean;
  /** Sends a signal to its group. */
  readonly kill: (signal: Signal) => void;
}

/** What to start it with, beside the request. */
export interface StartOptions {
  readonly signal: AbortSignal;
  /** Laid over the request's environment. */
  readonly markers: Env;
  readonly pipes: PipeSource | undefined;
}

/**
 * Starts the process of a request, or gives `undefined` when the signal aborted before that.
 *
 * @throws BackendError `plan` or `unavailable`, see {@link startError}.
 */
export async function startProcess(request: ExecRequest, options: StartOptions): Promise<StartedProcess | undefined> {
  checkRequest(request);
  const pipes = await openPipes(request, options);
  try {
    if (options.signal.aborted) {
      pipes.discard();
      return undefined;
    }
    const child = spawn(request.argv[0], request.argv.slice(1), {
      cwd: request.cwd,
      env: exactEnvironment({ ...request.env, ...options.markers }),
      // A session and a group of its own: what happens to our terminal or group is not the job's business.
      detached: true,
      stdio: pipes.stdio,
      windowsHide: true,
    });
    await spawned(child);
    return startedProcess(child, pipes);
  } catch (error) {
    pipes.discard();
    throw await startError(error, request);
  } finally {
    pipes.closeChildEnds();
  }
}

function checkRequest(request: ExecRequest): void {
  const unsupported = request.tty === undefined ? (request.user === undefined ? undefined : 'a user') : 'a terminal';
  if (unsupported !== undefined)
    throw new BackendError('unsupported', `a process of this machine cannot be given ${unsupported}`);
  checkExecRequest(request);
}

/** Node adds variables of its own to a child's environment, and copies what an object inherits. */
function exactEnvironment(env: Env): NodeJS.ProcessEnv {
  const exact: NodeJS.ProcessEnv = Object.assign(Object.create(null), { NODE_V8_COVERAGE: undefined });
  for (const [name, value] of Object.entries(env)) exact[name] = value;
  return exact;
}

interface Pipes {
  readonly stdio: StdioOptions;
  readonly stdout: ProcessPipe | undefined;
  readonly stderr: ProcessPipe | undefined;
  /** Once the child has them, or will never have them. */
  readonly closeChildEnds: () => void;
  readonly discard: () => void;
}

async function openPipes(request: ExecRequest, options: StartOptions): Promise<Pipes> {
  const stdout = await options.pipes?.open();
  const stderr = await options.pipes?.open();
  const all = [stdout, stderr].filter((pipe) => pipe !== undefined);
  return {
    stdout,
    stderr,
    stdio: [request.stdin === undefined ? 'ignore' : 'pipe', stdout?.childFd ?? 'pipe', stderr?.childFd ?? 'pipe'],
    closeChildEnds: () => {
      for (const pipe of all) closeSync(pipe.childFd);
    },
    discard: () => {
      for (const pipe of all) pipe.ours.destroy();
    },
  };
}

function spawned(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
}

function startedProcess(child: ChildProcess, pipes: Pipes): StartedProcess {
  const stdout = pipes.stdout?.ours ?? child.stdout;
  const stderr = pipes.stderr?.ours ?? child.stderr;
  const { pid } = child;
  if (pid === undefined || stdout === null || stderr === null)
    throw new Error('the process has no number or no output');
  let isRunning = true;
  const exited = new Promise<ProcessExit>((resolve) => {
    child.once('exit', (code, signal) => {
      isRunning = false;
      resolve({ code, signal });
    });
  });
  // A signal that cannot be sent is an error event on the child.
  child.on('error', () => {});
  return {
    pid,
    stdout,
    stderr,
    stdin: child.stdin ?? undefined,
    exited,
    isRunning: () => isRunning,
    kill: (signal) => {
      if (isRunning) killGroup(child, pid, signal);
    },
  };
}

function killGroup(child: ChildProcess, pid: number, signal: Signal): void {
  try {
    // The caller checked the name.
    if (process.platform === 'win32') child.kill(signal as NodeJS.Signals);
    else process.kill(-pid, signal);
  } catch (error) {
    if (errnoOf(error) !== 'ESRCH') throw error;
  }
}
