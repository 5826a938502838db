import {
  BackendError,
  type CallContext,
  type CopyInRequest,
  type CopyOutRequest,
  type Env,
  type Target,
} from '@forgejo-runner/core';
import { cancelled, checkExecRequest } from '@forgejo-runner/kit';
import { chunksOf } from '../chunks.ts';
import { defaultChunkBytes } from '../limits.ts';
import { errorOfStatus } from '../platform-errors.ts';
import { ContentCount } from './content-count.ts';
import { watchedSource } from './watched-source.ts';
import { type AlphaPlace, runAlphaExec } from './v1alpha-exec.ts';

/** The machine or job container of an environment: plugins of the Go runner have one of the two. */
export function alphaTarget(place: AlphaPlace, baseEnv: Env): Target {
  return {
    baseEnv,
    exec: (request, ctx) => {
      try {
        checkExecRequest(request);
        for (const name of ['stdin', 'tty'] as const) {
          if (request[name] !== undefined) throw new BackendError('unsupported', `this label has no exec.${name}`);
        }
      } catch (error) {
        return { result: Promise.reject(error) };
      }
      const tell = (type: 'exec.start' | 'exec.end'): void =>
        ctx.emit({ type, at: Date.now(), environment: place.name, attributes: {} });
      tell('exec.start');
      const { result } = runAlphaExec(place, request, ctx);
      return { result: result.finally(() => tell('exec.end')) };
    },
    copyIn: (request, ctx) => copyIn(place, request, ctx),
    copyOut: (request, ctx) => copyOut(place, request, ctx),
  };
}

async function copyIn(
  { connection, environment, lost }: AlphaPlace,
  { dest, tar, owner }: CopyInRequest,
  ctx: CallContext,
): Promise<void> {
  const what = `copying to ${connection.name}`;
  if (owner === 'keep') throw new BackendError('unsupported', 'owners cannot be kept there; leave "owner" out');
  checkPath(dest);
  notLost(lost());
  const failure: { error?: unknown } = {};
  const stop = new AbortController();
  const source = watchedSource(tar, (error) => {
    failure.error = error;
    // The protocol has no other way to say that an archive is not whole.
    stop.abort();
  });
  async function* messages(): AsyncGenerator<{ environmentId?: string; destPath?: string; data?: Uint8Array }> {
    yield { environmentId: environment, destPath: dest };
    for await (const data of chunksOf(source, defaultChunkBytes)) yield { data };
  }
  try {
    await connection.client.copyIn(messages(), { signal: AbortSignal.any([ctx.signal, stop.signal]) });
  } catch (error) {
    if (ctx.signal.aborted) throw cancelled(what);
    if (failure.error !== undefined) throw failure.error;
    throw asLost(errorOfStatus(error, what));
  }
}

async function* copyOut(
  { connection, environment, lost }: AlphaPlace,
  { src, maxBytes }: CopyOutRequest,
  ctx: CallContext,
): AsyncGenerator<Uint8Array, void, undefined> {
  const what = `copying from ${connection.name}`;
  checkPath(src);
  notLost(lost());
  const stop = new AbortController();
  const signal = AbortSignal.any([ctx.signal, stop.signal]);
  const count = new ContentCount();
  try {
    for await (const { data } of connection.client.copyOut({ environmentId: environment, srcPath: src }, { signal })) {
      if (count.add(data) > (maxBytes ?? Number.POSITIVE_INFINITY)) {
        throw new BackendError('plan', `expected at most ${maxBytes} bytes in "${src}", found more`, { resource: src });
      }
      if (data.length > 0) yield data;
    }
  } catch (error) {
    if (ctx.signal.aborted) throw cancelled(what);
    throw asLost(errorOfStatus(error, what));
  } finally {
    stop.abort();
  }
  // There is no last message; an archive that was cut ends in the midst of an entry.
  if (!count.isWhole) throw new BackendError('lost', `${what}: the archive ended before its end`);
}

function checkPath(path: string): void {
  if (path.includes('\0')) throw new BackendError('plan', 'expected no NUL in a path, found one');
}

function notLost(gone: string | undefined): void {
  if (gone !== undefined) throw new BackendError('lost', gone);
}

function asLost(error: BackendError): BackendError {
  if (error.code !== 'unavailable') return error;
  return new BackendError('lost', error.message, { ...error.details, cause: error });
}
