import type { OutputSink } from './call-context.ts';
import type { Env, Str } from './open-union.ts';

/** Name of a POSIX signal. Backends for other systems map it to what comes closest. */
export type Signal = Str<'SIGINT' | 'SIGTERM' | 'SIGKILL' | 'SIGQUIT' | 'SIGHUP'>;

/** Where the streams of a process go. Without `stdin` the process reads end of file at once. */
export interface ExecIo {
  readonly stdout: OutputSink;
  readonly stderr: OutputSink;
  readonly stdin?: AsyncIterable<Uint8Array>;
}

/** One stage of stopping a process tree: a signal, and how many milliseconds the tree gets to obey. */
export interface StopStage {
  readonly signal: Signal;
  readonly graceMs: number;
}

/** One process to start in a target. */
export interface ExecRequest extends ExecIo {
  /** Passed on byte for byte: no shell joins, splits or expands it. */
  readonly argv: readonly [string, ...string[]];
  /** The whole environment of the process: nothing is inherited. */
  readonly env: Env;
  /** Must exist; the runner makes it by `copyIn`. */
  readonly cwd: string;
  /** Needs the capability `exec.user`. */
  readonly user?: string;
  /** Needs the capability `exec.tty`. All output then arrives at `stdout`. */
  readonly tty?: { readonly columns: number; readonly rows: number };
  /** How to stop the tree when `ctx.signal` aborts. Default: {@link defaultStop}. */
  readonly stop?: readonly StopStage[];
}

/** Stages of a stop where the request names none: INT, then TERM, then KILL, ten seconds in all. */
export const defaultStop: readonly StopStage[] = [
  { signal: 'SIGINT', graceMs: 7500 },
  { signal: 'SIGTERM', graceMs: 2500 },
  { signal: 'SIGKILL', graceMs: 0 },
];

/** A started process. */
export interface ExecHandle {
  /**
   * Settles once, after all output was taken by the sinks. Rejects with a `BackendError`, never for what the command
   * itself did.
   */
  readonly result: Promise<ExecResult>;
  /** Exists if and only if the capability `exec.signals` is set. */
  readonly signal?: (signal: Signal) => Promise<void>;
  /** Exists if and only if the request had a `tty`. */
  readonly resize?: (size: { readonly columns: number; readonly rows: number }) => Promise<void>;
}

/**
 * How a process ended.
 *
 * - `exited`: by itself. A platform that only reports 128 + n for a signal says `exited` with that code.
 * - `signaled`: by a signal, where the platform says so.
 * - `stopped`: because `ctx.signal` aborted; `survivors` counts the processes that are alive all the same.
 */
export type ExecResult =
  | { readonly kind: 'exited'; readonly code: number; readonly oomKilled?: boolean }
  | { readonly kind: 'signaled'; readonly signal: Signal; readonly coreDumped?: boolean; readonly oomKilled?: boolean }
  | { readonly kind: 'stopped'; readonly survivors: number };
