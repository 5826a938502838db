import { constants } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import {
  BackendError,
  defaultStop,
  type Env,
  type ExecHandle,
  type ExecRequest,
  type ExecResult,
  isBackendError,
  type Signal,
} from '@forgejo-runner/core';
import { endProcesses } from './end-processes.ts';
import { feedInput } from './input-feed.ts';
import { type Marker, newMarker } from './marker.ts';
import type { PipeSource } from './output-pipes.ts';
import { pumpOutput } from './output-pump.ts';
import { type ProcessExit, type StartedProcess, startProcess } from './process-start.ts';
import type { ProcessTable } from './process-table.ts';

/** How to start a process, beside what the request says. */
export interface ProcessGroupOptions {
  /** Aborting it stops the whole tree. */
  readonly signal: AbortSignal;
  /** Variables of the backend's own, laid over the request's: a marker of the environment, for instance. */
  readonly markers?: Env;
  /** Where the pipes for its output come from. Default: Node's own sockets, on which Linux cannot open `/dev/stdout`. */
  readonly pipes?: PipeSource;
  /** What finds processes and sends signals. Default: the processes of this user. */
  readonly table?: ProcessTable;
}

/** How long output is waited for that a child in the background might still write. */
const outputGraceMs = 2000;
/** How long a sink may take what is left once the process was stopped. */
const stoppedOutputMs = 1500;

/**
 * Starts a process as the leader of a session and group of its own, without a terminal, with exactly the environment
 * of the request and the variables that mark its tree. Its standard input is empty unless the request has one.
 *
 * The result settles when the process ended and its output was taken: two seconds later where a child in the
 * background keeps the output open. Such a child goes on, and what it writes then is thrown away. When
 * `options.signal` aborts, the request's stages go over the whole tree, also over what left the group, and the result
 * is `stopped`.
 *
 * The result rejects with a `BackendError`: `plan` where program, folder, argument or variable cannot work,
 * `unavailable` where the machine has no room for a process, `unsupported` for a terminal or a user, `internal` where
 * a sink or the input fails.
 *
 * ```ts
 * const handle = startProcessGroup(request, { signal: ctx.signal, markers: environmentMarker.env });
 * const result = await handle.result;
 * ```
 */
export function startProcessGroup(request: ExecRequest, options: ProcessGroupOptions): ExecHandle {
  const marker = newMarker('EXEC');
  const starting = startProcess(request, {
    signal: options.signal,
    markers: { ...options.markers, ...marker.env },
    pipes: options.pipes,
  });
  const result = follow({ request, options, marker }, starting);
  return {
    result,
    signal: async (signal) => {
      if (!Object.hasOwn(constants.signals, signal)) {
        throw new BackendError('plan', `expected the name of a signal, found "${signal.slice(0, 200)}"`);
      }
      // Why it did not start, `result` tells.
      const started = await starting.catch(() => undefined);
      if (started === undefined) return;
      if (options.table === undefined) started.kill(signal);
      else await signalGroup(options.table, { marker, pid: started.pid }, signal);
    },
  };
}

/** By the table, which may reach processes of other users that this process may not send signals to. */
async function signalGroup(
  table: ProcessTable,
  { marker, pid }: { readonly marker: Marker; readonly pid: number },
  signal: Signal,
): Promise<void> {
  const group = (await table.list(marker.text)).filter(({ groupId }) => groupId === pid);
  await table.signal(group, signal);
}

interface Group {
  readonly request: ExecRequest;
  readonly options: ProcessGroupOptions;
  readonly marker: Marker;
}

async function follow(group: Group, starting: Promise<StartedProcess | undefined>): Promise<ExecResult> {
  const started = await starting;
  if (started === undefined) return { kind: 'stopped', survivors: 0 };
  using abort = new AbortWatch(group.options.signal);
  const streams = new Streams(started, group.request);
  const first = await Promise.race([
    started.exited.then(() => 'exit'),
    abort.promise.then(() => 'abort'),
    streams.failed.then(() => 'failure'),
  ]);
  if (first === 'exit') {
    const givenUp = abort.promise.then(() => pause(stoppedOutputMs, undefined, { ref: false }));
    await Promise.race([streams.endAfter(outputGraceMs), givenUp]);
    streams.throwFailure(group.request);
    return resultOf(await started.exited);
  }
  const survivors = await stop(group, started);
  await Promise.race([streams.endAfter(0), pause(stoppedOutputMs, undefined, { ref: false })]);
  if (first === 'failure') streams.throwFailure(group.request);
  return { kind: 'stopped', survivors };
}

async function stop({ request, options, marker }: Group, started: StartedProcess): Promise<number> {
  const { survivors } = await endProcesses({
    marker,
    stages: request.stop ?? defaultStop,
    leaderPid: started.pid,
    isLeaderAlive: started.isRunning,
    ...(options.table === undefined ? {} : { table: options.table }),
  });
  return survivors.length;
}

function resultOf(exit: ProcessExit): ExecResult {
  if (exit.signal !== null) return { kind: 'signaled', signal: exit.signal };
  if (exit.code !== null) return { kind: 'exited', code: exit.code };
  throw new BackendError('lost', 'the process ended without a code or a signal');
}

/** Turns the abort of a signal into a promise that leaves no listener behind. */
class AbortWatch implements Disposable {
  readonly promise: Promise<void>;
  readonly #signal: AbortSignal;
  readonly #onAbort: () => void;

  constructor(signal: AbortSignal) {
    const aborted = Promise.withResolvers<void>();
    this.promise = aborted.promise;
    this.#signal = signal;
    this.#onAbort = aborted.resolve;
    signal.addEventListener('abort', this.#onAbort, { once: true });
    if (signal.aborted) aborted.resolve();
  }

  [Symbol.dispose](): void {
    this.#signal.removeEventListener('abort', this.#onAbort);
  }
}

/** The three streams of a process on their way. */
class Streams {
  /** Resolves when a sink or the input fails. */
  readonly failed: Promise<void>;
  readonly #late = Promise.withResolvers<void>();
  readonly #outputs: Promise<unknown>;
  #failure: { readonly error: unknown } | undefined;

  constructor(started: StartedProcess, request: ExecRequest) {
    const failed = Promise.withResolvers<void>();
    this.failed = failed.promise;
    const onFailure = (error: unknown): void => {
      this.#failure ??= { error };
      failed.resolve();
    };
    this.#outputs = Promise.all([
      pumpOutput(started.stdout, request.stdout, this.#late.promise).catch(onFailure),
      pumpOutput(started.stderr, request.stderr, this.#late.promise).catch(onFailure),
    ]);
    if (started.stdin === undefined || request.stdin === undefined) return;
    feedInput(started.stdin, request.stdin, started.exited).catch(onFailure);
  }

  /** Waits for the end of the output; after a grace, only for what lies ready. */
  async endAfter(graceMs: number): Promise<void> {
    const grace = setTimeout(this.#late.resolve, graceMs);
    await this.#outputs;
    clearTimeout(grace);
  }

  throwFailure(request: ExecRequest): void {
    if (this.#failure === undefined) return;
    const { error } = this.#failure;
    if (isBackendError(error)) throw error;
    const text = `cannot take the output or give the input of "${request.argv[0]}"`;
    throw new BackendError('internal', `${text}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
}
