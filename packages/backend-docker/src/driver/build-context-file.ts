import { createHash, type Hash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BackendError } from '@forgejo-runner/core';
import { extract, type Header } from 'tar-stream';

/** The context of a build as a file, and what its content is. */
export interface ContextFile extends AsyncDisposable {
  readonly path: string;
  /** The same for the same files with the same names, modes and content, whenever and by whomever they were written. */
  readonly contentHash: string;
  /** The text of the Dockerfile; absent where the context has none. */
  readonly dockerfile?: string;
}

/** No Dockerfile that a person wrote is longer. */
const maxDockerfileBytes = 1024 * 1024;

/**
 * Writes the context of a build to a file while its content is hashed: only then it is known whether anything has to be
 * built. The file goes when it is disposed.
 *
 * @throws BackendError `plan` for a stream that is no archive; whatever the stream throws.
 */
export async function openContextFile(
  context: AsyncIterable<Uint8Array>,
  dockerfile: string,
  signal: AbortSignal,
): Promise<ContextFile> {
  const folder = await mkdtemp(join(tmpdir(), 'forgejo-runner-build-'));
  const close = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const path = join(folder, 'context.tar');
  try {
    const found = await writeAndRead(context, { path, dockerfile }, signal);
    return { path, ...found, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function writeAndRead(
  context: AsyncIterable<Uint8Array>,
  { path, dockerfile }: { readonly path: string; readonly dockerfile: string },
  signal: AbortSignal,
): Promise<Pick<ContextFile, 'contentHash' | 'dockerfile'>> {
  await using file = await open(path, 'wx', 0o600);
  const archive = extract();
  const reading = readEntries(archive, dockerfile);
  // Its failure is seen when it is awaited.
  reading.catch(() => {});
  try {
    for await (const chunk of context) {
      signal.throwIfAborted();
      await file.writeFile(chunk);
      if (!archive.destroyed && !archive.write(chunk)) await Promise.race([once(archive, 'drain'), reading]);
    }
    archive.end(undefined);
    return await reading;
  } catch (error) {
    archive.destroy();
    throw error;
  }
}

async function readEntries(
  archive: ReturnType<typeof extract>,
  dockerfile: string,
): Promise<Pick<ContextFile, 'contentHash' | 'dockerfile'>> {
  const entries: string[] = [];
  let text: string | undefined;
  try {
    for await (const entry of archive) {
      const hash = startEntry(entry.header);
      const kept = entry.header.name === dockerfile ? [] : undefined;
      await take(entry as AsyncIterable<Buffer>, hash, kept);
      if (kept !== undefined) text = Buffer.concat(kept).subarray(0, maxDockerfileBytes).toString('utf8');
      entries.push(`${hash.digest('hex')}\n`);
    }
  } catch (error) {
    throw new BackendError(
      'plan',
      `cannot read the context of the build: ${error instanceof Error ? error.message : String(error)}`,
      { cause: error },
    );
  }
  // The order of an archive is that of somebody's disk.
  const all = createHash('sha256');
  for (const entry of entries.toSorted()) all.update(entry);
  return { contentHash: all.digest('hex'), ...(text === undefined ? {} : { dockerfile: text }) };
}

/** What of an entry ends up in an image: neither its time nor, in the ways that contexts come, its owner. */
function startEntry({ name, type, mode, linkname }: Header): Hash {
  const isRunnable = ((mode ?? 0) & 0o111) !== 0;
  return createHash('sha256').update(JSON.stringify([name.replace(/\/$/, ''), type, isRunnable, linkname ?? '']));
}

async function take(content: AsyncIterable<Buffer>, hash: Hash, kept: Buffer[] | undefined): Promise<void> {
  let size = 0;
  for await (const chunk of content) {
    hash.update(chunk);
    if (kept !== undefined && size < maxDockerfileBytes) kept.push(chunk);
    size += chunk.length;
  }
}
