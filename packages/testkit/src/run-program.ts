import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { captureOutput } from './capture.ts';

/** A program that ran to its end. */
export interface Finished {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program that runs. */
export interface Running {
  readonly pid: number;
  /** What it printed so far. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly finished: Promise<Finished>;
}

/** Where a program runs, with exactly this environment. */
export interface Surroundings {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Starts a program in a process group of its own. */
export function startProgram(command: readonly [string, ...string[]], surroundings: Surroundings): Running {
  const [program, ...args] = command;
  const child = spawn(program, args, { ...surroundings, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const [out, err] = [captureOutput(), captureOutput()];
  child.stdout.on('data', (chunk: Uint8Array) => void out.sink(chunk));
  child.stderr.on('data', (chunk: Uint8Array) => void err.sink(chunk));
  const finished = once(child, 'close').then((ended) => {
    // Node's own types do not say what `close` comes with.
    const [code, signal] = ended as [number | null, string | null];
    return { code, signal, stdout: out.text(), stderr: err.text() };
  });
  return { pid: child.pid ?? 0, stdout: out.text, stderr: err.text, finished };
}

/** Runs a program to its end. */
export function runProgram(command: readonly [string, ...string[]], surroundings: Surroundings): Promise<Finished> {
  return startProgram(command, surroundings).finished;
}
