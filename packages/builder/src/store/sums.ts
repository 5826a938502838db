import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { z } from 'zod';

const name = '.sums.json';
const schema = z.record(z.string(), z.string());

/** File within a folder to its checksum. */
export type Sums = Readonly<Record<string, string>>;

/** Writes down the checksum of every file of a folder, in the folder. */
export async function sumFolder(dir: string): Promise<void> {
  await writeFile(path.join(dir, name), JSON.stringify(await sumsOf(dir)));
}

/** What was written down, if it is there and whole. */
export async function readSums(dir: string): Promise<Sums | undefined> {
  const text = await readFile(path.join(dir, name), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** Files that are not as they were written down, that are missing, or that nobody wrote down. */
export async function findChanged(dir: string): Promise<readonly string[]> {
  const sums = await readSums(dir);
  if (sums === undefined) return [name];
  const now = await sumsOf(dir);
  const all = new Set([...Object.keys(sums), ...Object.keys(now)]);
  return [...all].filter((file) => sums[file] !== now[file]).toSorted();
}

async function sumsOf(dir: string): Promise<Sums> {
  const files = (await readdir(dir, { recursive: true })).filter((file) => file !== name);
  const sums: [string, string][] = [];
  // A few at a time: a tree has more files than a process may open.
  for (let at = 0; at < files.length; at += 64) {
    const some = files.slice(at, at + 64).map(async (file) => [file, await sumOf(path.join(dir, file))] as const);
    for (const [file, sum] of await Promise.all(some))
      if (sum !== undefined) sums.push([file.replaceAll(path.sep, '/'), sum]);
  }
  return Object.fromEntries(sums.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

async function sumOf(file: string): Promise<string | undefined> {
  const found = await lstat(file);
  if (found.isDirectory()) return undefined;
  if (found.isSymbolicLink()) return `link ${await readlink(file)}`;
  return hashFile(file);
}

/** SHA-256 of a file, in hexadecimal digits. */
export async function hashFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}
