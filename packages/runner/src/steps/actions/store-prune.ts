import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { lockFile } from './repository-lock.ts';

/** How much a store may keep. */
export interface PruneLimits {
  /** What was not used for so many milliseconds goes. */
  readonly maxAgeMs: number;
  /** The least recently used go until so many bytes are left. */
  readonly maxBytes: number;
  /** Milliseconds since the epoch. */
  readonly now?: number;
  /** Report what would be removed, and change nothing. */
  readonly dryRun?: boolean;
}

/** What pruning did. */
export interface PruneReport {
  readonly removed: number;
  readonly freedBytes: number;
  readonly keptBytes: number;
}

/** What was used so lately may be read at this moment, and stays whatever the limits say. */
const keptMs = 60 * 60_000;

interface Entry {
  readonly repository: string;
  readonly sha: string;
  readonly usedAtMs: number;
  readonly bytes: number;
}

/** Removes what a store has too much or too old, and what killed processes left beside it. */
export async function pruneStore(folder: string, limits: PruneLimits, signal: AbortSignal): Promise<PruneReport> {
  const now = limits.now ?? Date.now();
  const entries = (await listEntries(folder)).toSorted((a, b) => a.usedAtMs - b.usedAtMs);
  let keptBytes = 0;
  for (const { bytes } of entries) keptBytes += bytes;
  let removed = 0;
  let freedBytes = 0;
  for (const entry of entries) {
    const ageMs = now - entry.usedAtMs;
    if (ageMs < keptMs || (ageMs <= limits.maxAgeMs && keptBytes <= limits.maxBytes)) continue;
    if (limits.dryRun !== true) await removeEntry(folder, entry, signal);
    removed += 1;
    freedBytes += entry.bytes;
    keptBytes -= entry.bytes;
  }
  if (limits.dryRun !== true) await removeOldWork(folder, now);
  return { removed, freedBytes, keptBytes };
}

/** Bytes of all files below a folder. */
export async function folderBytes(folder: string): Promise<number> {
  let bytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).size;
  }
  return bytes;
}

async function listEntries(folder: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const repository of await namesIn(join(folder, 'repositories'))) {
    for (const sha of await namesIn(join(folder, 'repositories', repository))) {
      if (!/^[0-9a-f]{40,64}$/.test(sha)) continue;
      const used = join(folder, 'repositories', repository, sha, 'used');
      const [stats, bytes] = [await stat(used).catch(() => undefined), await readFile(used, 'utf8').catch(() => '0')];
      entries.push({ repository, sha, usedAtMs: stats?.mtimeMs ?? 0, bytes: Number(bytes) || 0 });
    }
  }
  return entries;
}

async function removeEntry(folder: string, entry: Entry, signal: AbortSignal): Promise<void> {
  using _lock = await lockFile(join(folder, 'locks', entry.repository), signal);
  // Renamed first: nobody finds half of it.
  const away = join(folder, 'tmp', randomUUID());
  await mkdir(join(folder, 'tmp'), { recursive: true });
  try {
    await rename(join(folder, 'repositories', entry.repository, entry.sha), away);
  } catch (error) {
    // Another process removed it.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  await rm(away, { recursive: true, force: true, maxRetries: 3 });
}

async function removeOldWork(folder: string, now: number): Promise<void> {
  for (const name of await namesIn(join(folder, 'tmp'))) {
    const path = join(folder, 'tmp', name);
    const stats = await stat(path).catch(() => undefined);
    if (stats !== undefined && now - stats.mtimeMs > keptMs)
      await rm(path, { recursive: true, force: true, maxRetries: 3 });
  }
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return [];
    throw error;
  });
}
