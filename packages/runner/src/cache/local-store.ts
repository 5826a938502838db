import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { CacheFiles } from './cache-files.ts';
import { CacheIndex, type IndexedEntry } from './cache-index.ts';
import type { CacheEntry, CacheStore, EntryContent } from './cache-store.ts';
import { evict } from './eviction.ts';
import { cutSegments, readInTurns } from './segments.ts';

/** A file without an entry is of a killed runner when it is so old. */
const orphanMs = 3_600_000;
const pageSize = 500;

/** Keeps entries in a folder of this machine, which processes of the same user may share. */
export function localStore(database: DatabaseSync, folder: string): CacheStore {
  const index = new CacheIndex(database);
  const files = new CacheFiles(join(folder, 'entries'));
  return {
    find: async (query) => {
      const entry = index.find(query, Date.now());
      return entry === undefined ? undefined : shown(entry);
    },
    has: async ({ repository, scope, version, key }) => index.has(repository, scope, version, key),
    add: async ({ upload, path, size, bytes, segments }) => {
      const { id, repository, scope, version, key } = upload;
      const nowMs = Date.now();
      await files.adopt(path, id);
      index.add({ id, repository, scope, version, key, size, bytes, segments, createdMs: nowMs, usedMs: nowMs });
    },
    open: async (id, { repository, scopes }) => {
      const entry = index.get(Number(id), repository, scopes);
      return entry === undefined ? undefined : openContent(entry, index, files);
    },
    list: () => listAll(index),
    remove: async (id) => {
      index.remove([Number(id)]);
      await files.remove(Number(id));
    },
    evict: async (limits, signal) => {
      const evicted = await evict(index, files, limits, signal);
      await files.sweep((id) => index.knows(id), Date.now() - orphanMs);
      return evicted;
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

async function openContent(
  entry: IndexedEntry,
  index: CacheIndex,
  files: CacheFiles,
): Promise<EntryContent | undefined> {
  const file = await files.open(entry.id);
  if (file === undefined || (await file.stat()).size < entry.bytes) {
    // Somebody else removed the file, or a power cut did: better no entry than half of one.
    await file?.close();
    index.remove([entry.id]);
    return undefined;
  }
  return {
    size: entry.size,
    createdMs: entry.createdMs,
    read: async (range) => readInTurns(file, cutSegments(entry.segments, range)),
    [Symbol.asyncDispose]: () => file.close(),
  };
}

async function* listAll(index: CacheIndex): AsyncGenerator<CacheEntry> {
  let after: IndexedEntry | undefined;
  for (;;) {
    const page = index.page(pageSize, after);
    for (const entry of page) yield shown(entry);
    after = page.at(-1);
    if (page.length < pageSize) return;
  }
}

function shown({ bytes: _bytes, segments: _segments, id, ...entry }: IndexedEntry): CacheEntry & { usedMs: number } {
  return { ...entry, id: String(id) };
}
