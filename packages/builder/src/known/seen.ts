import { createHash } from 'node:crypto';
import { type BigIntStats, lstatSync } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';

/** A file or folder as a build saw it: where, its marks on the disk, and a checksum of what is in it. */
export type Seen = readonly [place: string, marks: string, sum: string];

export const seenSchema: z.ZodType<readonly Seen[]> = z.array(z.tuple([z.string(), z.string(), z.string()]));

const nothing = 'none';

/**
 * What the disk says about a place without reading it. Whoever writes there changes the time of the last change, which no
 * program can set back.
 */
export function marksOf(place: string): string {
  const found = lstatSync(place, { bigint: true, throwIfNoEntry: false });
  return found === undefined ? nothing : [found.ino, found.size, found.mtimeNs, found.ctimeNs].join('.');
}

/**
 * Writes down how places look. Undefined when one of them changed since `sinceMs`: what a build read may not be what lies
 * there now.
 */
export async function see(places: readonly string[], sinceMs: number): Promise<readonly Seen[] | undefined> {
  const seen: Seen[] = [];
  for (const place of places) {
    const found: BigIntStats | undefined = lstatSync(place, { bigint: true, throwIfNoEntry: false });
    if (found !== undefined && Number(found.ctimeMs) >= sinceMs) return undefined;
    seen.push([place, marksOf(place), '']);
  }
  const sums = await inBatches(places, sumOf);
  return seen.map(([place, marks], index) => [place, marks, sums[index] ?? '']);
}

/** Do all places look as they did? What was touched only is read, and then compared by content. */
export async function isAsSeen(seen: readonly Seen[]): Promise<boolean> {
  const touched = seen.filter(([place, marks]) => marksOf(place) !== marks);
  const sums = await inBatches(touched, ([place]) => sumOf(place));
  return touched.every(([, , sum], index) => sums[index] === sum);
}

/** Checksum of a file's content and mode, of the names in a folder, of a link's target. */
export async function sumOf(place: string): Promise<string> {
  const found = lstatSync(place, { throwIfNoEntry: false });
  if (found === undefined) return nothing;
  const hash = createHash('sha256');
  if (found.isSymbolicLink()) return hash.update(`link ${await readlink(place)}`).digest('hex');
  // With its mode: an output has to be executable.
  if (!found.isDirectory())
    return hash
      .update(await readFile(place))
      .update(`${found.mode}`)
      .digest('hex');
  for (const entry of (await readdir(place, { withFileTypes: true })).toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const target = entry.isSymbolicLink() ? await readlink(path.join(place, entry.name)) : '';
    hash.update(`${entry.name}\0${target}\0`);
  }
  return hash.digest('hex');
}

async function inBatches<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<readonly R[]> {
  const results: R[] = [];
  // A few at a time: a runner has more files than a process may open.
  for (let at = 0; at < items.length; at += 64) {
    results.push(...(await Promise.all(items.slice(at, at + 64).map(work))));
  }
  return results;
}
