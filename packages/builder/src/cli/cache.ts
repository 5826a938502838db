import path from 'node:path';
import { parseSize, parseTime, sizeText } from '../manifest/units.ts';
import { type CacheEntry, listCache, pruneCache, verifyCache } from '../store/cache.ts';
import { defaultCacheDir } from '../store/store.ts';
import type { CacheAction, CacheFlags } from './define-cache.ts';
import { exitCodes } from './exit-codes.ts';

/** The command `cache`. Resolves to its exit code. */
export async function cacheCommand(action: CacheAction, flags: CacheFlags): Promise<number> {
  const dir = flags.cacheDir === undefined ? defaultCacheDir(process.env) : path.resolve(flags.cacheDir);
  if (action === 'ls')
    return answer(flags, { dir, entries: await listCache(dir) }, ({ entries }) => entryLines(entries));
  if (action === 'verify') {
    const report = await verifyCache(dir);
    answer(flags, { dir, ...report }, ({ damaged, checked }) => [
      ...damaged.map(
        ({ room, key, files }) => `removed ${room}/${key}: ${files.length} changed, such as ${files[0] ?? ''}`,
      ),
      `${checked} checked, ${damaged.length} damaged`,
    ]);
    return report.damaged.length === 0 ? exitCodes.done : exitCodes.resolution;
  }
  const report = await pruneCache(dir, {
    maxBytes: flags.maxSize === undefined ? undefined : parseSize(flags.maxSize, '--max-size'),
    unusedSince:
      flags.unusedFor === undefined ? undefined : new Date(Date.now() - parseTime(flags.unusedFor, '--unused-for')),
  });
  return answer(flags, { dir, ...report }, ({ removed, leftovers, freedBytes }) => [
    ...leftovers.map((name) => `removed ${name}, which a killed builder left`),
    ...entryLines(removed).map((line) => `removed ${line}`),
    `${removed.length} entries removed, ${sizeText(freedBytes)} freed`,
  ]);
}

function entryLines(entries: readonly CacheEntry[]): readonly string[] {
  return entries.map(
    ({ room, key, sizeBytes, usedAt }) => `${room}/${key}  ${sizeText(sizeBytes)}  used ${usedAt.toISOString()}`,
  );
}

function answer<T extends object>(flags: CacheFlags, value: T, asLines: (value: T) => readonly string[]): number {
  const text = flags.json === true ? JSON.stringify({ schema: 1, ...value }, undefined, 2) : asLines(value).join('\n');
  if (text !== '') process.stdout.write(`${text}\n`);
  return exitCodes.done;
}
