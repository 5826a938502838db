import { constants } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import {
  BackendError,
  type CallContext,
  type ExecHandle,
  type ExecRequest,
  type ExecResult,
  isBackendError,
} from '@forgejo-runner/core';
import { checkExecRequest, type Marker, newMarker } from '@forgejo-runner/kit';
import { containerProcesses, countOomKills, holdsOutput } from './driver/container-processes.ts';
import type { DockerEndpoint } from './driver/endpoint.ts';
import { type EngineExec, type ExecEnd, endOf, startExec } from './driver/engine-exec.ts';
import { ExecStreams } from './driver/exec-streams.ts';
import { checkSizes, StartWatch, startFailure, wordsToError } from './driver/start-failure.ts';
import { stopExec } from './driver/stop-exec.ts';
import { engineError, statusOf } from './platform-errors.ts';

/** The container that processes run in. */
export interface ExecPlace {
  readonly endpoint: DockerEndpoint;
  readonly container: string;
  /** Name of the environment that it belongs to. */
  readonly environment: string;
  /** Names of variables that the engine gives to every process of the container. */
  readonly inherited: readonly string[];
  /** How many of its processes were killed for want of memory, as far as it was looked at. */
  oomKills: number;
}

/** How long a sink may take what is left once the process was stopped. */
const stoppedOutputMs = 1500;
/** An engine that has closed the output of a process knows of its end a moment later. */
const endKnownMs = 3000;
/** What the engine reports for a process that was killed: 128 and the number of the signal. */
const killedCode = 128 + constants.signals.SIGKILL;

/**
 * Starts one process in a container, which gets the variables of the request and a marker, and on podman those of the
 * container as well. The result settles when the process ended and its output was taken: two seconds later on Docker
 * where a child in the background keeps the output open. When `ctx.signal` aborts, the stages of the request go over
 * the whole tree, and the container lives on.
 *
 * The result rejects with a `BackendError`: `plan` where program, folder, user or variable cannot work, `lost` where
 * container or connection are gone, `internal` where a sink or the input fails.
 */
export function runExec(place: ExecPlace, request: ExecRequest, ctx: CallContext): ExecHandle {
  const marker = newMarker('EXEC');
  const starting = start(place, { request, marker }, ctx);
  const tell = (type: 'exec.start' | 'exec.end'): void =>
    ctx.emit({ type, at: Date.now(), environment: place.environment, attributes: {} });
  tell('exec.start');
  const result = follow({ place, request, marker }, starting, ctx).finally(() => tell('exec.end'));
  const { tty } = request;
  return {
    result,
    signal: (signal) => sendSignal({ place, marker, starting }, signal),
    ...(tty === undefined ? {} : { resize: async (size) => (await starting)?.resize(size) }),
  };
}

interface Running {
  readonly place: ExecPlace;
  readonly request: ExecRequest;
  readonly marker: Marker;
}

/** Undefined when the process was never started, because the call was cancelled before. */
async function start(
  { endpoint, container, inherited }: ExecPlace,
  { request, marker }: Pick<Running, 'request' | 'marker'>,
  ctx: CallContext,
): Promise<EngineExec | undefined> {
  checkExecRequest(request);
  checkSizes(request);
  if (ctx.signal.aborted) return undefined;
  const { argv, cwd, user, tty } = request;
  const env = { ...request.env, ...marker.env };
  // Podman takes no variable away.
  const unset = endpoint.facts.kind === 'docker' ? inherited.filter((name) => !Object.hasOwn(env, name)) : [];
  const draft = {
    container,
    argv,
    env: [...unset, ...Object.entries(env).map(([name, value]) => `${name}=${value}`)],
    cwd,
    ...(user === undefined ? {} : { user }),
    hasStdin: request.stdin !== undefined,
    tty,
  };
  try {
    const exec = await startExec(endpoint, draft, ctx);
    // The process may look at its size before that; engines of API 1.41 cannot be told in time.
    if (tty !== undefined) await exec.resize(tty).catch(() => {});
    return exec;
  } catch (error) {
    if (ctx.signal.aborted) return undefined;
    throw await notStarted({ place: { endpoint, container }, request }, error);
  }
}

async function notStarted(
  { place, request }: { readonly place: Pick<ExecPlace, 'endpoint' | 'container'>; readonly request: ExecRequest },
  error: unknown,
): Promise<unknown> {
  const words = error instanceof Error ? error.message : '';
  if (/unable to find (?:user|group)|no matching entries in/.test(words)) return wordsToError(request, words);
  return (await goneError(place)) ?? error;
}

async function follow(
  running: Running,
  starting: Promise<EngineExec | undefined>,
  ctx: CallContext,
): Promise<ExecResult> {
  const exec = await starting;
  if (exec === undefined) return { kind: 'stopped', survivors: 0 };
  const watch = new StartWatch(running.request);
  const streams = new ExecStreams(exec.stream, { request: running.request, sinks: watch });
  const abort = Promise.withResolvers<'abort'>();
  const onAbort = (): void => abort.resolve('abort');
  ctx.signal.addEventListener('abort', onAbort, { once: true });
  if (ctx.signal.aborted) onAbort();
  try {
    const ended = streams.ended.then(() => 'end' as const);
    const failed = streams.failed.then(() => 'failure' as const);
    const first = await Promise.race([ended, abort.promise, failed]);
    if (first === 'end') return await resultOf(running, { exec, watch, streams });
    const survivors = await stopExec(running, exec);
    await Promise.race([streams.ended, pause(stoppedOutputMs, undefined, { ref: false })]);
    if (first === 'failure') streams.throwFailure(running.request);
    await Promise.race([watch.release(), pause(stoppedOutputMs, undefined, { ref: false })]);
    return { kind: 'stopped', survivors };
  } finally {
    ctx.signal.removeEventListener('abort', onAbort);
    exec.stream.destroy();
  }
}

async function resultOf(
  { place, request, marker }: Running,
  { exec, watch, streams }: { readonly exec: EngineExec; readonly watch: StartWatch; readonly streams: ExecStreams },
): Promise<ExecResult> {
  const end = await knownEnd(place, { exec, marker, broken: streams.broken });
  const failure = startFailure(request, end, watch.text());
  if (failure !== undefined) throw failure;
  await watch.release();
  streams.throwFailure(request);
  if (end.code !== killedCode) return { kind: 'exited', code: end.code };
  // Who ends with the container was not killed by itself.
  const gone = await goneError(place);
  if (gone !== undefined) throw gone;
  const oomKills = await countOomKills(place.endpoint, place.container).catch(() => place.oomKills);
  const isOom = oomKills > place.oomKills;
  place.oomKills = oomKills;
  return { kind: 'exited', code: end.code, ...(isOom ? { oomKilled: true } : {}) };
}

/** The end of a process whose output has ended. @throws BackendError `lost` where there is none, or not all output. */
async function knownEnd(
  place: ExecPlace,
  { exec, marker, broken }: { readonly exec: EngineExec; readonly marker: Marker; readonly broken: unknown },
): Promise<ExecEnd> {
  let isChecked = false;
  try {
    const end = await endOf(exec, async (forMs) => {
      if (broken !== undefined) throw broken;
      if (isChecked || forMs < endKnownMs) return;
      isChecked = true;
      // A process may close its output and go on. One that could still write has lost its connection to us.
      if (await holdsOutput(place.endpoint, place.container, marker.text))
        throw new Error('the connection was cut while it ran');
    });
    if (broken !== undefined) throw broken;
    return end;
  } catch (error) {
    throw (
      (await goneError(place)) ?? lost(place, engineError(error, 'follow the process', place.container).message, error)
    );
  }
}

/** What to say where the container itself has ended; undefined where it runs. */
async function goneError({
  endpoint,
  container,
}: Pick<ExecPlace, 'endpoint' | 'container'>): Promise<BackendError | undefined> {
  try {
    const { State: state } = await endpoint.client.getContainer(container).inspect();
    if (state.Running) return undefined;
    const why = state.OOMKilled ? 'it had no memory left' : `it ended with code ${state.ExitCode}`;
    return lost({ container }, `its container is no more: ${why}`);
  } catch (error) {
    if (statusOf(error) === 404) return lost({ container }, 'its container was removed');
    return lost({ container }, engineError(error, 'look at its container', container).message, error);
  }
}

function lost({ container }: Pick<ExecPlace, 'container'>, why: string, cause?: unknown): BackendError {
  return new BackendError('lost', `the end of the process is not known: ${why}`, {
    resource: container,
    ...(cause === undefined ? {} : { cause }),
    hint: 'look at the log of the engine, and at the memory of its machine',
  });
}

async function sendSignal(
  {
    place,
    marker,
    starting,
  }: Pick<Running, 'place' | 'marker'> & { readonly starting: Promise<EngineExec | undefined> },
  signal: string,
): Promise<void> {
  if (!Object.hasOwn(constants.signals, signal)) {
    throw new BackendError('plan', `expected the name of a signal, found "${signal.slice(0, 200)}"`);
  }
  // Why it did not start, its result tells.
  if ((await starting.catch(() => undefined)) === undefined) return;
  const table = containerProcesses(place.endpoint, place.container);
  const marked = (await table.list(marker.text)).filter(({ isMarked }) => isMarked);
  const leader = marked.find(({ pid, sessionId }) => pid === sessionId);
  // As with a terminal: its own group, not what has left it.
  const group = leader === undefined ? marked : marked.filter(({ groupId }) => groupId === leader.groupId);
  if (group.length === 0) return;
  try {
    await table.signal(group, signal);
  } catch (error) {
    throw isBackendError(error) ? error : engineError(error, `send ${signal}`, place.container);
  }
}
