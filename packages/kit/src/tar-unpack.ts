import { closeSync, constants, fchmodSync, futimesSync, openSync, writeSync } from 'node:fs';
import { chmod, link, lstat, lutimes, mkdir, open, realpath, rmdir, symlink, unlink, utimes } from 'node:fs/promises';
import path from 'node:path';
import { BackendError } from '@forgejo-runner/core';
import { type Extract, extract, type Header } from 'tar-stream';
import { cancelled, errnoOf, fileError } from './file-errors.ts';
import { safeParts } from './safe-path.ts';
import { archiveError, feedArchive, firstFailure } from './tar-feed.ts';

/** A tar stream and where its entries go. */
export interface UnpackRequest {
  readonly tar: AsyncIterable<Uint8Array>;
  /** Made with its parents where it is missing. The path to it may lead over symlinks; below it none is followed. */
  readonly dest: string;
}

type Entry = Extract extends AsyncIterable<infer E> ? E : never;

interface Unpacking {
  readonly root: string;
  readonly signal: AbortSignal;
  /** Folders that were seen to be folders and no symlinks. */
  readonly checked: Set<string>;
  /** What to set at the end, when nothing is written into the folder any more. */
  readonly folders: Map<string, { readonly mode: number; readonly mtime: Date | undefined }>;
}

// A cache may be dropped at any time; a hostile archive must not make it grow for ever.
const checkedLimit = 20_000;

/**
 * Unpacks a tar stream below a folder, and nothing beside it. Merges into folders that are there, replaces files and
 * symlinks that are there, keeps modes (without set-user-id, set-group-id and sticky bits) and times, keeps symlinks
 * whatever they point to but never writes through one. A newline in a name is an ordinary character. Takes the whole
 * stream before it resolves; when it rejects, what was unpacked so far is there.
 *
 * @throws BackendError `plan` for an entry that would land outside (`..`, an absolute name, a path or hard link over a
 * symlink), for devices, pipes and sparse entries, for a damaged archive or one that ends early; `unavailable` when
 * the disk is full; `cancelled` when `signal` aborts; and what the stream itself rejects with.
 */
export async function unpackTar(request: UnpackRequest, signal: AbortSignal): Promise<void> {
  if (signal.aborted) throw cancelled('unpacking');
  const unpacking: Unpacking = {
    root: await openRoot(request.dest),
    signal,
    checked: new Set(),
    folders: new Map(),
  };
  const reader = extract();
  const stop = firstFailure(reader);
  const onAbort = (): void => stop.because(cancelled('unpacking'));
  signal.addEventListener('abort', onAbort, { once: true });
  const feeding = feedArchive(request.tar, reader, stop);
  try {
    for await (const entry of reader) await unpackEntry(unpacking, entry);
    await finishFolders(unpacking);
  } catch (error) {
    stop.because(error);
  } finally {
    signal.removeEventListener('abort', onAbort);
    await feeding;
  }
  if (stop.failure !== undefined) throw archiveError(stop.failure.error);
}

async function openRoot(dest: string): Promise<string> {
  try {
    await mkdir(dest, { recursive: true });
    return await realpath(dest);
  } catch (error) {
    throw fileError(error, 'make the folder', dest);
  }
}

async function unpackEntry(unpacking: Unpacking, entry: Entry): Promise<void> {
  const { header } = entry;
  try {
    await placeEntry(unpacking, entry, header);
  } catch (error) {
    throw fileError(error, 'unpack', header.name);
  }
  // What an entry has beyond what we took must be taken as well, or the next one never comes.
  entry.resume();
}

async function placeEntry(unpacking: Unpacking, entry: Entry, header: Header): Promise<void> {
  const parts = safeParts(header.name);
  if (unpacking.signal.aborted) throw cancelled('unpacking');
  if (header.type === 'directory') return placeFolder(unpacking, parts, header);
  const name = parts.pop();
  if (name === undefined) throw refused(header, 'a name for the archive itself');
  const file = path.join(await folderFor(unpacking, parts, header), name);
  switch (header.type) {
    case 'file':
    case 'contiguous-file':
      if (isSparse(header)) throw refused(header, 'a sparse file in GNU form');
      return writeFile(unpacking, file, entry);
    case 'symlink':
      return placeSymlink(unpacking, file, header);
    case 'link':
      return placeHardLink(unpacking, file, header);
    default:
      throw refused(header, `an entry of type "${header.type ?? 'unknown'}"`);
  }
}

function isSparse(header: Header): boolean {
  const pax = typeof header.pax === 'object' && header.pax !== null ? header.pax : {};
  return Object.keys(pax).some((key) => key.startsWith('GNU.sparse.'));
}

function refused(header: Header, found: string): BackendError {
  const shown = JSON.stringify(header.name.slice(0, 200));
  return new BackendError('plan', `expected files, folders and links in the archive, found ${found} at ${shown}`, {
    resource: header.name,
  });
}

async function placeFolder(unpacking: Unpacking, parts: readonly string[], header: Header): Promise<void> {
  const folder = await folderFor(unpacking, parts, header);
  // The archive's own folder belongs to whoever asked for it.
  if (parts.length > 0) unpacking.folders.set(folder, { mode: modeOf(header, 0o755), mtime: header.mtime });
}

function modeOf(header: Header, otherwise: number): number {
  return (header.mode ?? otherwise) & 0o777;
}

/** Makes the folders of a path one by one, and checks that each is a folder: a symlink is never walked over. */
async function folderFor(unpacking: Unpacking, parts: readonly string[], header: Header): Promise<string> {
  let folder = unpacking.root;
  for (const part of parts) {
    folder = path.join(folder, part);
    if (unpacking.checked.has(folder)) continue;
    await makeFolder(folder, header);
    if (unpacking.checked.size >= checkedLimit) unpacking.checked.clear();
    unpacking.checked.add(folder);
  }
  return folder;
}

async function makeFolder(folder: string, header: Header): Promise<void> {
  try {
    await mkdir(folder, { mode: 0o755 });
    return;
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
  const found = await lstat(folder);
  if (found.isSymbolicLink()) throw refused(header, 'a path over a symlink');
  if (!found.isDirectory()) throw refused(header, 'a path over a file');
  // A folder that an archive made read-only must take the rest of the next archive.
  if ((found.mode & 0o300) !== 0o300) await chmod(folder, (found.mode & 0o777) | 0o700);
}

/** Up to this size a file is written in one go. */
const smallBytes = 64 * 1024;
const newFile = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL;

async function writeFile(unpacking: Unpacking, file: string, entry: Entry): Promise<void> {
  const { header } = entry;
  if ((header.size ?? 0) <= smallBytes) return writeSmallFile(unpacking, file, entry);
  // Always a new file: writing into one that is there would go through its hard links.
  await using handle = await replacing(unpacking, file, () => open(file, newFile, 0o600));
  // The reader hands on pieces of what it was fed; streamx types them as unknown.
  for await (const chunk of entry as AsyncIterable<Uint8Array>) {
    for (let at = 0; at < chunk.length; ) at += (await handle.write(chunk, at)).bytesWritten;
  }
  await handle.chmod(modeOf(header, 0o644));
  if (header.mtime !== undefined) await handle.utimes(header.mtime, header.mtime);
}

/**
 * Without the thread pool: five trips through it take ten times as long as these calls, and most files of a checkout
 * are small.
 */
async function writeSmallFile(unpacking: Unpacking, file: string, entry: Entry): Promise<void> {
  const { header } = entry;
  const chunks: Uint8Array[] = [];
  for await (const chunk of entry as AsyncIterable<Uint8Array>) chunks.push(chunk);
  const content = Buffer.concat(chunks);
  const descriptor = await replacing(unpacking, file, async () => openSync(file, newFile, 0o600));
  try {
    for (let at = 0; at < content.length; ) at += writeSync(descriptor, content, at);
    fchmodSync(descriptor, modeOf(header, 0o644));
    if (header.mtime !== undefined) futimesSync(descriptor, header.mtime, header.mtime);
  } finally {
    closeSync(descriptor);
  }
}

async function placeSymlink(unpacking: Unpacking, file: string, header: Header): Promise<void> {
  const target = header.linkname ?? '';
  if (target === '' || target.includes('\0')) throw refused(header, 'a symlink to nothing');
  await replacing(unpacking, file, () => symlink(target, file));
  if (header.mtime !== undefined) await lutimes(file, header.mtime, header.mtime);
}

async function placeHardLink(unpacking: Unpacking, file: string, header: Header): Promise<void> {
  const parts = safeParts(header.linkname ?? '');
  const name = parts.pop();
  if (name === undefined) throw refused(header, 'a hard link to nothing');
  const source = path.join(unpacking.root, ...parts, name);
  if (source === file) return;
  let folder = unpacking.root;
  for (const part of parts) {
    folder = path.join(folder, part);
    const found = await lstat(folder).catch(() => undefined);
    if (found?.isDirectory() !== true) throw refused(header, 'a hard link over a symlink, a file or nothing');
  }
  const found = await lstat(source).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') throw refused(header, 'a hard link to a file that is not there');
    throw error;
  });
  // On Linux a link to a symlink links the symlink; elsewhere it may follow it, out of the folder.
  if (!found.isFile()) throw refused(header, 'a hard link to something other than a file');
  await replacing(unpacking, file, () => link(source, file));
}

/** Makes something at a path; where something else is, removes that first. A folder must be empty for it. */
async function replacing<T>(unpacking: Unpacking, file: string, make: () => Promise<T>): Promise<T> {
  try {
    return await make();
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
  if ((await lstat(file)).isDirectory()) {
    await rmdir(file);
    // The whole cache: where case does not matter, this folder may stand in it under another spelling.
    unpacking.checked.clear();
    unpacking.folders.delete(file);
  } else {
    await unlink(file);
  }
  return make();
}

/** Innermost first: a folder's time changes when something is made in it, and a read-only one keeps us out. */
async function finishFolders(unpacking: Unpacking): Promise<void> {
  const deepestFirst = [...unpacking.folders].toSorted(([a], [b]) => b.length - a.length);
  for (const [folder, { mode, mtime }] of deepestFirst) {
    try {
      // It may have been replaced under another spelling of its name.
      if (!(await lstat(folder)).isDirectory()) continue;
      if (mtime !== undefined) await utimes(folder, mtime, mtime);
      await chmod(folder, mode);
    } catch (error) {
      throw fileError(error, 'set mode and time of', folder);
    }
  }
}
