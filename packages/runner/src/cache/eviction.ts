import { setImmediate } from 'node:timers/promises';
import type { CacheFiles } from './cache-files.ts';
import type { CacheIndex, IndexedEntry } from './cache-index.ts';
import type { CacheLimits, Evicted } from './cache-store.ts';

/** So many at a time: requests are answered in between. */
const batch = 100;

/**
 * Removes what is beyond the limits: first what is too old, then of each repository that has too much what nobody used
 * for longest, then of all together. An entry goes before its file: what is cut off in between is a file that nobody
 * knows, and the sweep finds it.
 */
export async function evict(
  index: CacheIndex,
  files: CacheFiles,
  limits: CacheLimits,
  signal: AbortSignal,
): Promise<Evicted> {
  const evicted = { entries: 0, bytes: 0 };
  const remove = async (entries: readonly IndexedEntry[]): Promise<void> => {
    index.remove(entries.map(({ id }) => id));
    for (const { id, bytes } of entries) {
      await files.remove(id);
      evicted.entries += 1;
      evicted.bytes += bytes;
    }
    await setImmediate();
  };
  const removeLeastUsed = async (excess: number, repository?: string): Promise<void> => {
    let left = excess;
    while (left > 0 && !signal.aborted) {
      const entries: IndexedEntry[] = [];
      for (const entry of index.leastUsed(batch, repository)) {
        if (left <= 0) break;
        entries.push(entry);
        left -= entry.bytes;
      }
      if (entries.length === 0) return;
      await remove(entries);
    }
  };

  while (!signal.aborted) {
    const expired = index.expired(limits, Date.now(), batch);
    if (expired.length === 0) break;
    await remove(expired);
  }
  for (const { repository, excess } of index.overfull(limits.maxRepositoryBytes)) {
    await removeLeastUsed(excess, repository);
  }
  await removeLeastUsed(index.totalBytes() - limits.maxBytes);
  return evicted;
}
