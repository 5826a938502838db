import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Installation } from '../resolve/installation.ts';
import { keyOf } from '../store/store.ts';
import { marksOf } from './seen.ts';

/** What tells two builders apart: their version, and in a checkout the marks of their own files. */
export async function builderMarks({ version, dir, checkout }: Installation): Promise<string> {
  if (checkout === undefined) return version;
  const folders = ['src', 'dist', 'templates'].map(async (name) => {
    const names = await readdir(path.join(dir, name), { recursive: true }).catch(() => []);
    return names.map((file) => path.join(dir, name, file));
  });
  const files = (await Promise.all(folders)).flat().filter((file) => /\.m?[jt]s$/.test(file));
  return keyOf(version, files.toSorted().map(marksOf));
}
