import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { lstat, open, readdir, readlink } from 'node:fs/promises';
import path from 'node:path';
import { BackendError } from '@forgejo-runner/core';
import { type Header, type Pack, pack } from 'tar-stream';
import { cancelled, errnoOf, fileError } from './file-errors.ts';

/** What to pack, and how much of it. */
export interface PackRequest {
  /** File, folder or symlink. A symlink is packed as one. */
  readonly src: string;
  /** Name of the top entry. Default: the last part of `src`. */
  readonly name?: string;
  /** Most bytes of file content. Default: no limit. */
  readonly maxBytes?: number;
  /**
   * Says what below `src` goes in, by its path from there with `/` between names. A folder that does not go in keeps
   * everything below it out. Default: everything.
   */
  readonly accept?: (path: string) => boolean;
}

type NamedHeader = Partial<Header> & Pick<Header, 'name'>;

interface Packing {
  readonly archive: Pack;
  readonly signal: AbortSignal;
  readonly maxBytes: number;
  /** First name of every file that has several, by device and inode. */
  readonly links: Map<string, string>;
  contentBytes: number;
}

const readBytes = 128 * 1024;

// Written by tar-stream alone: a system tar would be twice as fast for big files, but each one has its own ideas about
// names, limits and files that change meanwhile, and small images have none.

/**
 * Packs a file or folder as a POSIX tar stream (pax) with one top entry. Keeps modes, times, symlinks, hard links and
 * empty folders; leaves out sockets, pipes and devices, and what vanishes meanwhile. A file that grows is cut at the
 * size that it had. Holds one read buffer and one folder's names at a time; breaking off the iteration stops it.
 *
 * The iteration throws `BackendError`: `not_found` when `src` is missing, `plan` over `maxBytes` or when something
 * cannot be read, `cancelled` when `signal` aborts.
 */
export async function* packTar(request: PackRequest, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
  const archive = pack();
  const packing: Packing = {
    archive,
    signal,
    maxBytes: request.maxBytes ?? Number.POSITIVE_INFINITY,
    links: new Map(),
    contentBytes: 0,
  };
  const onAbort = (): void => archive.destroy(cancelled('packing'));
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  const producing = produce(packing, request);
  try {
    // Only bytes go in, so only bytes come out; streamx types them as unknown.
    for await (const chunk of archive as AsyncIterable<Uint8Array>) yield chunk;
  } finally {
    signal.removeEventListener('abort', onAbort);
    archive.destroy();
    await producing;
  }
}

async function produce(packing: Packing, request: PackRequest): Promise<void> {
  const { archive } = packing;
  try {
    const src = path.resolve(request.src);
    const name = request.name ?? (path.basename(src) || '.');
    const found = await lstat(src).catch((error: unknown) => {
      throw fileError(error, 'copy', src);
    });
    if (!isPackable(found)) {
      throw new BackendError('plan', `expected a file or folder, found a device, pipe or socket at "${src}"`, {
        resource: src,
      });
    }
    await addTree(packing, src, name, request.accept);
    archive.finalize();
  } catch (error) {
    archive.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

function isPackable(stats: Stats): boolean {
  return stats.isFile() || stats.isDirectory() || stats.isSymbolicLink();
}

/** Walks with a stack of its own, so that a deep tree cannot overflow ours. */
async function addTree(packing: Packing, src: string, topName: string, accept: PackRequest['accept']): Promise<void> {
  const waiting: { readonly file: string; readonly name: string }[] = [{ file: src, name: topName }];
  const isAccepted = (name: string): boolean => accept?.(name.slice(topName.length + 1)) ?? true;
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    if (packing.signal.aborted) throw cancelled('packing');
    const { file, name } = next;
    const stats = await unlessVanished(file, () => lstat(file));
    if (stats === undefined || !isPackable(stats)) continue;
    if (!stats.isDirectory()) {
      await addLeaf(packing, file, name, stats);
      continue;
    }
    await addEntry(packing.archive, { ...headerOf(`${name}/`, stats), type: 'directory' });
    const children = (await unlessVanished(file, () => readdir(file))) ?? [];
    // Sorted, so that the same folder gives the same bytes; reversed, because the stack hands out the last one.
    for (const child of children.toSorted().toReversed()) {
      const below = `${name}/${child}`;
      if (isAccepted(below)) waiting.push({ file: path.join(file, child), name: below });
    }
  }
}

async function unlessVanished<T>(file: string, look: () => Promise<T>): Promise<T | undefined> {
  try {
    return await look();
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw fileError(error, 'read', file);
    if (!file.includes('\uFFFD')) return undefined;
    // Node decodes names as UTF-8, and a name that is not cannot be opened by what it was decoded to.
    throw new BackendError('plan', `cannot read "${file}": its name is not valid UTF-8`, {
      resource: file,
      hint: 'rename it',
      cause: error,
    });
  }
}

async function addLeaf(packing: Packing, file: string, name: string, stats: Stats): Promise<void> {
  if (stats.isSymbolicLink()) {
    const linkname = await unlessVanished(file, () => readlink(file));
    if (linkname !== undefined) {
      await addEntry(packing.archive, { ...headerOf(name, stats), type: 'symlink', linkname });
    }
    return;
  }
  const inode = `${stats.dev}:${stats.ino}`;
  const first = stats.nlink > 1 ? packing.links.get(inode) : undefined;
  if (first !== undefined) {
    await addEntry(packing.archive, { ...headerOf(name, stats), type: 'link', linkname: first });
    return;
  }
  const isAdded = await addFile(packing, file, name, stats.size);
  if (isAdded && stats.nlink > 1) packing.links.set(inode, name);
}

/** Not blocking, and no symlink followed: it may have become something else since it was looked at. */
const asFound = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
/** Up to this size a file is read in one go. */
const smallBytes = 64 * 1024;

async function addFile(packing: Packing, file: string, name: string, size: number): Promise<boolean> {
  const small = size > smallBytes ? undefined : await unlessVanished(file, async () => readSmallFile(file));
  return small === undefined ? addLargeFile(packing, file, name) : addSmallFile(packing, small, name, file);
}

/**
 * Without the thread pool: four trips through it take ten times as long as these calls, and most files of a checkout
 * are small. `undefined` where it is no file any more, or no small one.
 */
function readSmallFile(file: string): { readonly stats: Stats; readonly content: Uint8Array } | undefined {
  const descriptor = openSync(file, asFound);
  try {
    const stats = fstatSync(descriptor);
    if (!stats.isFile() || stats.size > smallBytes) return undefined;
    const content = new Uint8Array(stats.size);
    for (let at = 0; at < content.length; ) {
      const bytesRead = readSync(descriptor, content, at, content.length - at, null);
      if (bytesRead === 0) throw shrunk(file, content.length, at);
      at += bytesRead;
    }
    return { stats, content };
  } finally {
    closeSync(descriptor);
  }
}

async function addSmallFile(
  packing: Packing,
  { stats, content }: { readonly stats: Stats; readonly content: Uint8Array },
  name: string,
  file: string,
): Promise<boolean> {
  count(packing, stats, file);
  const entry = openEntry(packing.archive, { ...headerOf(name, stats), type: 'file', size: stats.size });
  if (content.length > 0) await entry.write(content);
  await entry.end();
  return true;
}

async function addLargeFile(packing: Packing, file: string, name: string): Promise<boolean> {
  await using handle = await unlessVanished(file, () => open(file, asFound));
  if (handle === undefined) return false;
  const stats = await handle.stat();
  if (!stats.isFile()) return false;
  count(packing, stats, file);
  const entry = openEntry(packing.archive, { ...headerOf(name, stats), type: 'file', size: stats.size });
  for (let left = stats.size; left > 0; ) {
    const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafeSlow(Math.min(readBytes, left)));
    if (bytesRead === 0) throw shrunk(file, stats.size, stats.size - left);
    await entry.write(buffer.subarray(0, bytesRead));
    left -= bytesRead;
  }
  await entry.end();
  return true;
}

function count(packing: Packing, stats: Stats, file: string): void {
  packing.contentBytes += stats.size;
  if (packing.contentBytes <= packing.maxBytes) return;
  throw new BackendError('plan', `expected at most ${packing.maxBytes} bytes, found more at "${file}"`, {
    resource: file,
    hint: 'copy less at a time',
  });
}

function shrunk(file: string, expected: number, found: number): BackendError {
  return new BackendError(
    'unavailable',
    `expected ${expected} bytes in "${file}", found ${found}: it shrank meanwhile`,
    {
      resource: file,
      hint: 'end what writes to it, then copy again',
      retryable: true,
    },
  );
}

function headerOf(name: string, stats: Stats): NamedHeader {
  return {
    name,
    // With the bits of its type, or tar-stream would take a mode of 0 for none.
    mode: stats.mode,
    // Before 1970 has no place in the header.
    mtime: stats.mtimeMs < 0 ? new Date(0) : stats.mtime,
    uid: stats.uid,
    gid: stats.gid,
  };
}

async function addEntry(archive: Pack, header: NamedHeader): Promise<void> {
  await openEntry(archive, header).end();
}

/** One entry as two functions that wait: `write` for room in the archive, `end` for the entry to be taken. */
function openEntry(
  archive: Pack,
  header: NamedHeader,
): { readonly write: (chunk: Uint8Array) => Promise<void>; readonly end: () => Promise<void> } {
  const done = Promise.withResolvers<void>();
  // Nobody may be waiting for it yet when it fails.
  done.promise.catch(() => {});
  const sink = archive.entry(header, (error) => {
    if (error === null || error === undefined) done.resolve();
    else done.reject(error instanceof Error ? error : new Error(String(error)));
  });
  // The failure arrives by the callback; without a listener it would arrive a second time, as uncaught.
  sink.on('error', () => {});
  return {
    write: async (chunk) => {
      if (sink.write(chunk)) return;
      const drained = new Promise<void>((resolve) => void sink.once('drain', resolve));
      await Promise.race([drained, done.promise]);
    },
    end: async () => {
      sink.end(null);
      await done.promise;
    },
  };
}
