import { readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { findChanged } from './sums.ts';
import { acquireLock, isAbandoned, isRunning } from './store.ts';

/** One thing in the cache. */
export interface CacheEntry {
  /** What kind of thing: `trees`, `checks`, … */
  readonly room: string;
  readonly key: string;
  readonly sizeBytes: number;
  /** When it was last used. */
  readonly usedAt: Date;
}

/** What a look through the cache found. */
export interface CacheReport {
  /** Entries that are not as they were written, with the files that differ. They were removed. */
  readonly damaged: readonly { readonly room: string; readonly key: string; readonly files: readonly string[] }[];
  readonly checked: number;
}

/** What was removed from the cache. */
export interface PruneReport {
  readonly removed: readonly CacheEntry[];
  /** Left behind by builders that were killed. */
  readonly leftovers: readonly string[];
  readonly freedBytes: number;
}

const never = new AbortController().signal;
// Folders: the only entries that take room worth speaking of, and that are checked file by file.
const heavyRooms = ['trees', 'bases'];

/** All that is in a cache, the last used first. */
export async function listCache(dir: string): Promise<readonly CacheEntry[]> {
  const rooms = (await readdir(dir, { withFileTypes: true }).catch(() => [])).filter((one) => one.isDirectory());
  const entries: CacheEntry[] = [];
  for (const { name: room } of rooms) {
    if (room === 'work') continue;
    for (const name of await readdir(path.join(dir, room))) {
      if (isLeftover(name) || name.endsWith('.lock')) continue;
      const entry = await describe(dir, room, name);
      if (entry !== undefined) entries.push(entry);
    }
  }
  return entries.toSorted((a, b) => b.usedAt.getTime() - a.usedAt.getTime());
}

/**
 * Removes what killed builders left, and then the entries that were not used for longest, until the rest is small enough.
 * An entry that a builder is making is left alone.
 */
export async function pruneCache(
  dir: string,
  limits: { readonly maxBytes?: number | undefined; readonly unusedSince?: Date | undefined },
): Promise<PruneReport> {
  const leftovers = await removeLeftovers(dir);
  const { maxBytes = Number.POSITIVE_INFINITY, unusedSince = new Date(0) } = limits;
  const removed: CacheEntry[] = [];
  let total = 0;
  let freedBytes = 0;
  for (const entry of await listCache(dir)) {
    total += entry.sizeBytes;
    if (total <= maxBytes && entry.usedAt >= unusedSince) continue;
    await removeEntry(dir, entry);
    total -= entry.sizeBytes;
    freedBytes += entry.sizeBytes;
    removed.push(entry);
  }
  return { removed, leftovers, freedBytes };
}

/** Compares every installed file with what was written down when it was installed, and removes what differs. */
export async function verifyCache(dir: string): Promise<CacheReport> {
  const damaged: { readonly room: string; readonly key: string; readonly files: readonly string[] }[] = [];
  const entries = (await listCache(dir)).filter((entry) => heavyRooms.includes(entry.room));
  for (const entry of entries) {
    const files = await findChanged(path.join(dir, entry.room, entry.key));
    if (files.length === 0) continue;
    damaged.push({ room: entry.room, key: entry.key, files });
    await removeEntry(dir, entry);
  }
  return { damaged, checked: entries.length };
}

async function removeEntry(dir: string, { room, key }: CacheEntry): Promise<void> {
  const place = path.join(dir, room, key);
  await using _lock = await acquireLock(`${place}.lock`, never);
  await rm(place, { recursive: true, force: true });
}

async function describe(dir: string, room: string, name: string): Promise<CacheEntry | undefined> {
  const place = path.join(dir, room, name);
  const found = await stat(place).catch(() => undefined);
  if (found === undefined) return undefined;
  const sizeBytes = found.isDirectory() ? await sizeOf(place) : found.size;
  return { room, key: name, sizeBytes, usedAt: found.mtime };
}

async function sizeOf(dir: string): Promise<number> {
  let size = 0;
  for (const one of await readdir(dir, { recursive: true, withFileTypes: true })) {
    if (!one.isFile()) continue;
    size += (await stat(path.join(one.parentPath, one.name)).catch(() => ({ size: 0 }))).size;
  }
  return size;
}

/** Names that only something unfinished has. The number is the process that made it. */
function isLeftover(name: string): boolean {
  return /\.(\d+)-[0-9a-f]{8}\.(?:tmp|broken)$/.test(name);
}

async function removeLeftovers(dir: string): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const room of await readdir(dir).catch(() => [])) {
    for (const name of await readdir(path.join(dir, room)).catch(() => [])) {
      const pid = Number(/(?:\.|^)(\d+)-[0-9A-Za-z]+(?:\.(?:tmp|broken))?$/.exec(name)?.[1] ?? 0);
      const place = path.join(dir, room, name);
      const isOurs = room === 'work' ? pid > 0 : isLeftover(name);
      const isGone = name.endsWith('.lock') ? await isAbandoned(place) : isOurs && !isRunning(pid);
      if (!isGone) continue;
      // npm of a killed builder may still be writing there.
      await rm(place, { recursive: true, force: true, maxRetries: 5 });
      removed.push(`${room}/${name}`);
    }
  }
  return removed;
}
