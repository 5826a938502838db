import * as fs from 'node:fs';
import type * as library from 'isomorphic-git';
import { type Pack, pack } from 'tar-stream';
import type { GitCommit } from './git.ts';
import { GitError } from './git-error.ts';

type Library = typeof library;

/** Entry of a tree. */
interface Entry {
  readonly mode: string;
  readonly oid: string;
}

/** A commit that is read, and what the library remembers of its packs. */
interface Reading {
  readonly git: Library;
  readonly gitdir: string;
  readonly cache: object;
}

const linkMode = '120000';
/** As many as Linux follows. */
const maxLinks = 40;

/** Reads a file, also behind links in the repository; `undefined` where there is none, or a bigger one. */
export async function readFile(
  git: Library,
  path: string,
  commit: GitCommit & { readonly limitBytes: number },
): Promise<Buffer<ArrayBuffer> | undefined> {
  const reading = { git, gitdir: commit.repository, cache: {} };
  const found = await findEntry(reading, commit.sha, path);
  if (found?.mode.startsWith('100') !== true) return undefined;
  const content = await readBlob(reading, found.oid);
  return content.length > commit.limitBytes ? undefined : content;
}

/** Walks from the top along a path and the links on it, never out of the repository. */
async function findEntry(reading: Reading, sha: string, path: string): Promise<Entry | undefined> {
  const waiting = path.split('/');
  const root: Entry = { mode: '040000', oid: sha };
  const way: Entry[] = [];
  for (let links = 0; links <= maxLinks; ) {
    const name = waiting.shift();
    if (name === undefined) return way.at(-1) ?? root;
    if (name === '' || name === '.') continue;
    if (name === '..') {
      if (way.pop() === undefined) return undefined;
      continue;
    }
    const folder = way.at(-1) ?? root;
    if (!isFolder(folder)) return undefined;
    const next = (await readFolder(reading, folder.oid)).find((entry) => entry.path === name);
    if (next === undefined) return undefined;
    if (next.mode !== linkMode) {
      way.push(next);
      continue;
    }
    links += 1;
    const target = (await readBlob(reading, next.oid)).toString();
    if (target.startsWith('/')) return undefined;
    waiting.unshift(...target.split('/'));
  }
  return undefined;
}

/** The files of a folder as a tar stream, with the time of the commit. One file at a time is in memory. */
export async function* archiveTree(
  git: Library,
  folder: string,
  commit: GitCommit,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const reading = { git, gitdir: commit.repository, cache: {} };
  const top = await findEntry(reading, commit.sha, folder);
  if (top === undefined || !isFolder(top)) throw new GitError('other', `no folder is called "${folder}"`);
  const { timestamp } = (await git.readCommit({ fs, gitdir: reading.gitdir, oid: commit.sha })).commit.committer;
  const mtime = new Date(Math.max(0, timestamp) * 1000);
  const tar = pack();
  const waiting = [{ ...top, name: '' }];
  try {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      signal.throwIfAborted();
      if (next.name !== '') {
        await addEntry(reading, tar, { ...next, mtime });
        yield* taken(tar);
      }
      if (!isFolder(next)) continue;
      const children = await readFolder(reading, next.oid);
      const prefix = next.name === '' ? '' : `${next.name}/`;
      for (const { path, mode, oid } of children.toReversed()) waiting.push({ mode, oid, name: prefix + path });
    }
    tar.finalize();
    yield* taken(tar);
  } finally {
    tar.destroy();
  }
}

async function addEntry(
  reading: Reading,
  tar: Pack,
  { mode, oid, name, mtime }: Entry & { readonly name: string; readonly mtime: Date },
): Promise<void> {
  if (mode === linkMode) {
    const linkname = (await readBlob(reading, oid)).toString();
    tar.entry({ name, type: 'symlink', linkname, mode: 0o777, mtime });
  } else if (mode.startsWith('100')) {
    const content = await readBlob(reading, oid);
    const permissions = mode.endsWith('755') ? 0o755 : 0o644;
    tar.entry({ name, type: 'file', mode: permissions, mtime, size: content.length }, content);
  } else {
    // Also a submodule, which is an empty folder until somebody fetches it.
    tar.entry({ name: `${name}/`, type: 'directory', mode: 0o755, mtime });
  }
}

/** What is ready of an archive; all of an entry that came whole. */
function* taken(tar: Pack): Generator<Uint8Array> {
  for (;;) {
    // Only bytes go in, so only bytes come out; streamx types them as unknown.
    const chunk = tar.read() as Uint8Array | null;
    if (chunk === null) return;
    yield chunk;
  }
}

/** Trees begin with `04` in what the library hands out, with `4` in git itself. */
function isFolder({ mode }: Entry): boolean {
  return /^0?40000$/.test(mode);
}

async function readFolder(
  { git, gitdir, cache }: Reading,
  oid: string,
): Promise<readonly (Entry & { path: string })[]> {
  return (await git.readTree({ fs, gitdir, cache, oid })).tree;
}

async function readBlob({ git, gitdir, cache }: Reading, oid: string): Promise<Buffer<ArrayBuffer>> {
  const { blob } = await git.readBlob({ fs, gitdir, cache, oid });
  return Buffer.from(blob);
}
