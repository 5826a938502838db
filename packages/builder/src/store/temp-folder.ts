import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { isRunning } from './store.ts';

/** A folder that is gone when it is disposed. */
export interface TempFolder extends AsyncDisposable {
  readonly dir: string;
}

/**
 * Opens a work folder in the cache. Its name has our process id, so that the next build removes what a killed one left.
 */
export async function openTempFolder(cacheDir: string): Promise<TempFolder> {
  const parent = path.join(cacheDir, 'work');
  await mkdir(parent, { recursive: true, mode: 0o700 });
  await sweep(parent);
  const dir = await mkdtemp(path.join(parent, `${process.pid}-`));
  return { dir, [Symbol.asyncDispose]: () => removeFolder(dir) };
}

async function removeFolder(dir: string): Promise<void> {
  // What cannot be removed now is swept by the next build.
  await rm(dir, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined);
}

async function sweep(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const pid = Number(/^(\d+)-/.exec(name)?.[1]);
    if (Number.isSafeInteger(pid) && pid > 0 && !isRunning(pid)) await removeFolder(path.join(parent, name));
  }
}
