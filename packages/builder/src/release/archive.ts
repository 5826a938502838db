import { createReadStream, createWriteStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type Pack, pack } from 'tar-stream';

/** What goes into an archive: a text, or a file. */
export type ArchiveSource = { readonly contents: string } | { readonly file: string };

/** One file of an archive. */
export interface ArchiveEntry {
  /** Path in the archive, with `/` between names. */
  readonly path: string;
  readonly source: ArchiveSource;
  readonly isExecutable: boolean;
}

/**
 * Writes a compressed tar archive: the same bytes for the same entries, whoever makes it and when. Everything lies in
 * the folder `top`, and belongs to root, so that whoever unpacks it as root gets no files of somebody else.
 */
export async function writeArchive(file: string, top: string, entries: readonly ArchiveEntry[]): Promise<void> {
  const archive = pack();
  const writing = pipeline(archive, createGzip(), createWriteStream(file, { flags: 'wx' }));
  // Not awaited yet: what goes wrong meanwhile comes out below.
  writing.catch(() => undefined);
  try {
    for (const folder of foldersOf(entries)) {
      archive.entry({ ...plain, name: folder === '' ? top : `${top}/${folder}`, type: 'directory', mode: 0o755 });
    }
    for (const entry of entries.toSorted(byPath)) await addFile(archive, top, entry);
    archive.finalize();
  } catch (error) {
    archive.destroy();
    await writing.catch(() => undefined);
    throw error;
  }
  await writing;
}

const plain = { uid: 0, gid: 0, uname: 'root', gname: 'root', mtime: new Date(0) } as const;

function byPath(one: ArchiveEntry, other: ArchiveEntry): number {
  return one.path < other.path ? -1 : 1;
}

/** All folders, those above first. */
function foldersOf(entries: readonly ArchiveEntry[]): readonly string[] {
  const folders = new Set(['']);
  for (const { path } of entries) {
    const parts = path.split('/');
    for (let length = 1; length < parts.length; length += 1) folders.add(parts.slice(0, length).join('/'));
  }
  return [...folders].toSorted();
}

async function addFile(archive: Pack, top: string, { path, source, isExecutable }: ArchiveEntry): Promise<void> {
  const header = { ...plain, name: `${top}/${path}`, mode: isExecutable ? 0o755 : 0o644 };
  if ('contents' in source) {
    archive.entry(header, source.contents);
    return;
  }
  const { size } = await stat(source.file);
  await pipeline(createReadStream(source.file), archive.entry({ ...header, size }));
}
