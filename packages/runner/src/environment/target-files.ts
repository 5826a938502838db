import { isBackendError, type CallContext, type Target } from '@forgejo-runner/core';
import { type Extract, extract, pack } from 'tar-stream';
import { quoted, UserError } from '../user-error.ts';

/** A small file of the runner's own, by its path below the folder it goes to. */
export interface SmallFile {
  readonly path: string;
  readonly content: string | Uint8Array;
  /** Default 0644. */
  readonly mode?: number;
}

/** Writes small files below a folder of a target, which is made where it is missing. */
export async function writeFiles(
  target: Target,
  folder: string,
  files: readonly SmallFile[],
  ctx: CallContext,
): Promise<void> {
  const archive = pack();
  for (const file of files) {
    archive.entry({ name: file.path, mode: file.mode ?? 0o644 }, Buffer.from(file.content as Uint8Array));
  }
  archive.finalize();
  await target.copyIn({ dest: folder, tar: archive as AsyncIterable<Uint8Array> }, ctx);
}

/**
 * Reads the files directly below a folder of a target; none where there is no such folder. Folders in it are left out.
 *
 * @throws UserError `FRR102` when there is more than `maxBytes`, or a symlink in place of a file or of the folder: what
 * it leads to may be somebody else's.
 */
export async function readFiles(
  target: Target,
  folder: string,
  maxBytes: number,
  ctx: CallContext,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  await readEntries(target, { src: folder, maxBytes }, ctx, async ([, name, ...deeper], { type }, content) => {
    if (deeper.length > 0 || (name === undefined && type === 'directory')) return;
    if (type !== 'file' || name === undefined) throw notRegular(name ?? folder, type);
    files.set(name, await content());
  });
  return files;
}

/**
 * Reads one file of a target, or `undefined` where there is none.
 *
 * @throws UserError `FRR102` for a larger one, and for what is no regular file.
 */
export async function readFile(
  target: Target,
  path: string,
  maxBytes: number,
  ctx: CallContext,
): Promise<Uint8Array | undefined> {
  let found: Uint8Array | undefined;
  await readEntries(target, { src: path, maxBytes }, ctx, async (_names, { type }, content) => {
    if (type !== 'file') throw notRegular(path, type);
    found ??= await content();
  });
  return found;
}

type Entry = Extract extends AsyncIterable<infer One> ? One : never;

type TakeEntry = (
  names: readonly string[],
  header: Entry['header'],
  content: () => Promise<Uint8Array>,
) => Promise<void>;

/** Goes through what a target packs of a path. Nothing is there where the path is not. */
async function readEntries(
  target: Target,
  request: { readonly src: string; readonly maxBytes: number },
  ctx: CallContext,
  take: TakeEntry,
): Promise<void> {
  const archive = extract();
  const feed = feedArchive(archive, target.copyOut(request, ctx));
  try {
    for await (const entry of archive) {
      const names = entry.header.name.split('/').filter((name) => name !== '');
      await take(names, entry.header, () => contentOf(entry));
      entry.resume();
    }
    await feed;
  } catch (error) {
    if (isBackendError(error) && error.code === 'not_found') return;
    if (isBackendError(error) && error.code === 'plan') throw tooLarge(request, error);
    throw error;
  }
}

async function contentOf(entry: Entry): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of entry as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function notRegular(path: string, type: string | null | undefined): UserError {
  const message = `expected ${quoted(path)} to be a regular file, found a ${type ?? 'thing of unknown kind'}`;
  return new UserError('FRR102', { problems: [{ message }] });
}

function tooLarge({ src, maxBytes }: { readonly src: string; readonly maxBytes: number }, cause: unknown): UserError {
  const message = `expected at most ${maxBytes} bytes in ${quoted(src)}, found more, or what cannot be read`;
  return new UserError('FRR102', { problems: [{ message }], cause });
}

/**
 * Feeds a tar stream to its parser, as fast as entries are taken. A stream that breaks off breaks the parser, and a
 * parser that nobody reads any more ends the stream.
 */
export async function feedArchive(archive: Extract, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  try {
    for await (const chunk of chunks) {
      if (archive.destroyed) return;
      if (!archive.write(chunk)) await drained(archive);
    }
    archive.end(undefined);
  } catch (error) {
    archive.destroy(error instanceof Error ? error : new Error(String(error)));
  }
}

function drained(archive: Extract): Promise<void> {
  return new Promise((resolve) => {
    archive.once('drain', () => resolve());
    archive.once('close', () => resolve());
  });
}
