import type { IncomingMessage } from 'node:http';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { BackendError, type CallContext, type CopyInRequest, type CopyOutRequest } from '@forgejo-runner/core';
import { archiveError } from '@forgejo-runner/kit';
import { askEngine } from './driver/ask-engine.ts';
import type { DockerEndpoint } from './driver/endpoint.ts';
import { TarContent } from './driver/tar-content.ts';
import { RebasedTar } from './driver/rebased-tar.ts';
import { engineError, engineWords, statusOf } from './platform-errors.ts';

/** A container and who its files belong to. */
export interface CopyPlace {
  readonly id: string;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Unpacks a tar stream in a container, by the engine. Nothing of it lands beside its folder, and no more of it is in
 * memory than a few pieces.
 *
 * @throws BackendError `plan` for an archive that would leave its folder or meets something else there,
 * `unavailable` when the disk is full, `lost` when the container is gone.
 */
export async function copyIn(
  endpoint: DockerEndpoint,
  place: CopyPlace,
  request: CopyInRequest,
  ctx: CallContext,
): Promise<void> {
  checkAbsolute(request.dest);
  const { id, uid, gid } = place;
  const dest = posix.normalize(request.dest).replace(/\/+$/, '') || '/';
  const missing = await missingFolders(endpoint, { id, dest }, ctx);
  const stop = new AbortController();
  const rebased = new RebasedTar(request.tar, {
    dest,
    missing,
    ...(request.owner === 'keep' ? {} : { owner: { uid, gid } }),
    isFolder: async (path) => (await kindOf(endpoint, { id, path }, ctx)) === 'folder',
    send: async (part) => {
      const body = Readable.from(part, { objectMode: false });
      // The client listens only while it sends; what is wrong, `rebased` tells.
      body.on('error', () => {});
      await endpoint.client
        .getContainer(id)
        .putArchive(body, { path: '/', noOverwriteDirNonDir: 'true', abortSignal: stop.signal });
    },
  });
  const onAbort = (): void => {
    rebased.stop(new BackendError('cancelled', 'copying was cancelled'));
    stop.abort();
  };
  ctx.signal.addEventListener('abort', onAbort, { once: true });
  if (ctx.signal.aborted) onAbort();
  try {
    await rebased.done;
  } catch (error) {
    stop.abort();
    throw putError(rebased.failure?.error ?? error, dest, id);
  } finally {
    ctx.signal.removeEventListener('abort', onAbort);
  }
}

/**
 * Packs a path of a container, by the engine.
 *
 * @throws BackendError `not_found` when it is missing, `plan` when it is larger than it may be.
 */
export async function* copyOut(
  endpoint: DockerEndpoint,
  container: string,
  { src, maxBytes = Number.POSITIVE_INFINITY }: CopyOutRequest,
  ctx: CallContext,
): AsyncGenerator<Uint8Array, void, undefined> {
  checkAbsolute(src);
  const tar = await askEngine({ doing: `copy ${src}`, resource: src }, ctx, async () => {
    // Its types know a stream; it is an answer.
    return (await endpoint.client.getContainer(container).getArchive({ path: src })) as IncomingMessage;
  });
  tar.on('error', () => {});
  const onAbort = (): void => void tar.destroy(new BackendError('cancelled', 'copying was cancelled'));
  ctx.signal.addEventListener('abort', onAbort, { once: true });
  const count = new TarContent();
  try {
    for await (const chunk of tar as AsyncIterable<Uint8Array>) {
      count.take(chunk);
      if (count.bytes > maxBytes) {
        throw new BackendError('plan', `expected at most ${maxBytes} bytes at "${src}", found more`, { resource: src });
      }
      yield chunk;
    }
  } catch (error) {
    const known = engineError(error, `copy ${src}`, src);
    throw known.code === 'unavailable' ? new BackendError('lost', known.message, known.details) : known;
  } finally {
    ctx.signal.removeEventListener('abort', onAbort);
    tar.destroy();
  }
}

/** Folders on the way to `dest` that are not there, outermost first. @throws BackendError `plan` where it is no folder. */
async function missingFolders(
  endpoint: DockerEndpoint,
  { id, dest }: { readonly id: string; readonly dest: string },
  ctx: CallContext,
): Promise<readonly string[]> {
  const missing: string[] = [];
  for (let path = dest; path !== '/'; path = posix.dirname(path)) {
    const kind = await kindOf(endpoint, { id, path }, ctx);
    if (kind === 'folder' || kind === 'link') break;
    if (kind === 'other')
      throw new BackendError('plan', `expected a folder at "${path}", found something else`, { resource: path });
    missing.unshift(path);
  }
  return missing;
}

/** Of Go's file modes. Source: package io/fs. */
const goFolder = 2 ** 31;
const goSymlink = 2 ** 27;

async function kindOf(
  { client }: DockerEndpoint,
  { id, path }: { readonly id: string; readonly path: string },
  ctx: CallContext,
): Promise<'folder' | 'link' | 'other' | undefined> {
  return askEngine({ doing: `look for ${path}`, resource: id }, ctx, async () => {
    try {
      const { headers } = (await client.getContainer(id).infoArchive({ path })) as IncomingMessage;
      const stat: unknown = JSON.parse(
        Buffer.from(String(headers['x-docker-container-path-stat']), 'base64').toString('utf8'),
      );
      const mode = typeof stat === 'object' && stat !== null && 'mode' in stat ? Number(stat.mode) : 0;
      const has = (bit: number): boolean => Math.floor(mode / bit) % 2 === 1;
      return has(goFolder) ? 'folder' : has(goSymlink) ? 'link' : 'other';
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  });
}

function putError(error: unknown, dest: string, id: string): unknown {
  const known = archiveError(error);
  if (statusOf(known) === undefined)
    return known instanceof BackendError ? known : engineError(known, `copy into ${dest}`, dest);
  const said = engineWords(known);
  if (/cannot overwrite|not a directory|is a directory|file exists|invalid (?:sym|hard)?link|breakout/i.test(said)) {
    return new BackendError('plan', `cannot copy into "${dest}": something else is there already: ${said}`, {
      resource: dest,
      cause: known,
    });
  }
  if (/read-only|rootfs is marked/i.test(said)) {
    return new BackendError('plan', `cannot copy into "${dest}": it is read-only`, { resource: dest, cause: known });
  }
  if (statusOf(known) === 404)
    return new BackendError('lost', `cannot copy into "${dest}": its container was removed`, {
      resource: id,
      cause: known,
    });
  return engineError(known, `copy into ${dest}`, dest);
}

function checkAbsolute(given: string): void {
  if (given.startsWith('/') && !given.includes('\0')) return;
  throw new BackendError('plan', `expected an absolute path, found ${JSON.stringify(given.slice(0, 200))}`, {
    resource: given,
  });
}
