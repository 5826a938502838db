import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  BackendError,
  type CallContext,
  type Capabilities,
  type CopyInRequest,
  type CopyOutRequest,
  type Env,
  type ExecHandle,
  type ExecRequest,
  type Target,
} from '@forgejo-runner/core';
import { cancelled, checkExecRequest, requestTooBig, sizeOfRequest } from '@forgejo-runner/kit';
import { chunksOf } from '../chunks.ts';
import type { CopyInRequestSchema } from '../gen/forgejo/runner/backend/v1/backend_pb.ts';
import { largestChunkBytes } from '../limits.ts';
import { errorOfStatus } from '../platform-errors.ts';
import type { Connection } from './connection.ts';
import { watchedSource } from './watched-source.ts';
import { type ExecPlace, runExec, startOf } from './v1-exec.ts';

/** What a target is on this side. */
export interface TargetParts {
  readonly connection: Connection;
  readonly environment: string;
  /** Empty for the machine of the environment. */
  readonly container: string;
  readonly baseEnv: Env;
  readonly capabilities: Capabilities;
  readonly lost: () => string | undefined;
}

/** The machine, or a job container, of an environment on the other side. */
export function remoteTarget(parts: TargetParts): Target {
  return {
    baseEnv: parts.baseEnv,
    exec: (request, ctx) => exec(parts, request, ctx),
    copyIn: (request, ctx) => copyIn(parts, request, ctx),
    copyOut: (request, ctx) => copyOut(parts, request, ctx),
  };
}

/** Where execs of a target run. */
export function execPlace({ connection, environment, container, capabilities, lost }: TargetParts): ExecPlace {
  return { connection, ref: { environment, container }, lost, hasSignals: capabilities.exec.signals };
}

function exec(parts: TargetParts, request: ExecRequest, ctx: CallContext): ExecHandle {
  const place = execPlace(parts);
  try {
    checkAsked(parts.capabilities, request);
    checkExecRequest(request);
    if (sizeOfRequest(request).total > largestChunkBytes) throw requestTooBig(request);
  } catch (error) {
    return { result: Promise.reject(error), ...(place.hasSignals ? { signal: async () => {} } : {}) };
  }
  const tell = (type: 'exec.start' | 'exec.end'): void =>
    ctx.emit({ type, at: Date.now(), environment: parts.environment, attributes: {} });
  tell('exec.start');
  const handle = runExec(place, startOf(place, request), request, ctx);
  return { ...handle, result: handle.result.finally(() => tell('exec.end')) };
}

/** What the other side did not claim it may do in some way of its own, or not at all: it is not asked. */
function checkAsked({ exec: can }: Capabilities, { stdin, tty, user }: ExecRequest): void {
  const asked = { stdin: stdin !== undefined, tty: tty !== undefined, user: user !== undefined };
  for (const name of ['stdin', 'tty', 'user'] as const) {
    if (asked[name] && !can[name]) throw new BackendError('unsupported', `this label has no exec.${name}`);
  }
}

async function copyIn(parts: TargetParts, { dest, tar, owner }: CopyInRequest, ctx: CallContext): Promise<void> {
  const { connection, environment, container, capabilities } = parts;
  const what = `copying to ${connection.name}`;
  if (owner === 'keep' && !capabilities.files.ownership) {
    throw new BackendError('unsupported', 'owners cannot be kept there; leave "owner" out');
  }
  if (dest.includes('\0')) throw new BackendError('plan', 'expected no NUL in a path, found one');
  notLost(parts);
  const failure: { error?: unknown } = {};
  const stop = new AbortController();
  const signal = AbortSignal.any([ctx.signal, stop.signal]);
  const source = watchedSource(tar, (error) => {
    failure.error = error;
    // Without its last piece the archive is not unpacked as if it were whole.
    stop.abort();
  });
  async function* messages(): AsyncGenerator<MessageInitShape<typeof CopyInRequestSchema>> {
    yield { target: { environment, container }, dest, keepOwner: owner === 'keep' };
    for await (const data of chunksOf(source, connection.chunkBytes)) yield { data };
    yield { last: true };
  }
  try {
    await connection.client.copyIn(messages(), { signal });
  } catch (error) {
    if (ctx.signal.aborted) throw cancelled(what);
    if (failure.error !== undefined) throw failure.error;
    throw asLost(errorOfStatus(error, what));
  }
}

async function* copyOut(
  parts: TargetParts,
  { src, maxBytes }: CopyOutRequest,
  ctx: CallContext,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { connection, environment, container } = parts;
  const what = `copying from ${connection.name}`;
  if (src.includes('\0')) throw new BackendError('plan', 'expected no NUL in a path, found one');
  notLost(parts);
  const stop = new AbortController();
  const signal = AbortSignal.any([ctx.signal, stop.signal]);
  const request = {
    target: { environment, container },
    src,
    // 0 is no limit there, and a limit of none cannot be kept by any file but an empty one.
    maxBytes: BigInt(maxBytes === undefined ? 0 : Math.max(1, maxBytes)),
  };
  let isWhole = false;
  try {
    for await (const { data, last } of connection.client.copyOut(request, { signal })) {
      if (isWhole) throw new BackendError('internal', `${connection.name} sent something after the end of an archive`);
      if (data.length > 0) yield data;
      isWhole = last;
    }
  } catch (error) {
    if (ctx.signal.aborted) throw cancelled(what);
    throw asLost(errorOfStatus(error, what));
  } finally {
    stop.abort();
  }
  if (!isWhole) throw new BackendError('lost', `${what}: the archive ended before its last piece`);
}

function notLost({ lost }: TargetParts): void {
  const gone = lost();
  if (gone !== undefined) throw new BackendError('lost', gone);
}

function asLost(error: BackendError): BackendError {
  if (error.code !== 'unavailable') return error;
  return new BackendError('lost', error.message, { ...error.details, cause: error });
}
