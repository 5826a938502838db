import { isBackendError, type CallContext, type Target } from '@forgejo-runner/core';
import { type Extract, extract, pack } from 'tar-stream';

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
 * Reads the regular files directly below a folder of a target. Whatever else a step put there, such as a symlink to a
 * file of somebody else, is left out.
 *
 * @throws BackendError `plan` when there is more than `maxBytes`.
 */
export async function readFiles(
  target: Target,
  folder: string,
  maxBytes: number,
  ctx: CallContext,
): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  const archive = extract();
  const feed = feedArchive(archive, target.copyOut({ src: folder, maxBytes }, ctx));
  for await (const entry of archive) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of entry as AsyncIterable<Uint8Array>) chunks.push(chunk);
    const [, name, ...deeper] = entry.header.name.split('/');
    if (entry.header.type === 'file' && name !== undefined && deeper.length === 0)
      files.set(name, Buffer.concat(chunks));
  }
  await feed;
  return files;
}

/** Reads one file of a target, or `undefined` where there is none. */
export async function readFile(
  target: Target,
  path: string,
  maxBytes: number,
  ctx: CallContext,
): Promise<Uint8Array | undefined> {
  let found: Uint8Array | undefined;
  const archive = extract();
  try {
    const feed = feedArchive(archive, target.copyOut({ src: path, maxBytes }, ctx));
    for await (const entry of archive) {
      const chunks: Uint8Array[] = [];
      for await (const chunk of entry as AsyncIterable<Uint8Array>) chunks.push(chunk);
      if (entry.header.type === 'file') found ??= Buffer.concat(chunks);
    }
    await feed;
  } catch (error) {
    if (isBackendError(error) && error.code === 'not_found') return undefined;
    throw error;
  }
  return found;
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
