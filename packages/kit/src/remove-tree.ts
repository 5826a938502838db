import { execFile } from 'node:child_process';
import { chmod, lstat, readdir, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { errnoOf } from './file-errors.ts';
import { mountsBelow, unmount } from './mounts.ts';

/** Removed or not, and why not. */
export interface TreeRemoval {
  readonly isRemoved: boolean;
  readonly error?: string;
}

/**
 * Removes a folder with everything in it, whatever modes a job left there, and never anything behind a symlink or a
 * mount. `last` is removed at the end, so that a removal that breaks off can be taken up by what stands in that file.
 */
export async function removeTree(folder: string, last: string): Promise<TreeRemoval> {
  return removal(async () => {
    await emptyTree(folder, last);
    await removeAll(path.join(folder, last));
    await rmdir(folder);
  });
}

/** Removes what is in a folder as {@link removeTree} does, but not what is to go last. @throws Error of the file system. */
export async function emptyTree(folder: string, last: string): Promise<void> {
  for (const point of await mountsBelow(folder)) {
    const problem = await unmount(point);
    if (problem !== undefined) throw new Error(`something is mounted at "${point}": ${problem}`);
  }
  await openUp(folder);
  for (const name of await readdir(folder)) {
    if (name !== last) await removeAll(path.join(folder, name));
  }
}

/** What is gone already is removed. */
export async function removal(work: () => Promise<void>): Promise<TreeRemoval> {
  try {
    await work();
    return { isRemoved: true };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return { isRemoved: true };
    return { isRemoved: false, error: (error instanceof Error ? error.message : String(error)) + foreignHint(error) };
  }
}

/** Only root removes what root wrote, which is what most containers run as. */
function foreignHint(error: unknown): string {
  const userId = process.geteuid?.();
  const code = errnoOf(error);
  if (userId === 0 || userId === undefined || (code !== 'EACCES' && code !== 'EPERM')) return '';
  return '; files of another user, such as of a container that ran as root, have to be removed as root';
}

async function removeAll(target: string): Promise<void> {
  // What is wrong cannot be told from the error: Node answers ENOTDIR for a file that the system keeps from going.
  if (await tryRemove(target)) return;
  await openFolders(target);
  if (await tryRemove(target)) return;
  // Marked as immutable, which only root can do and undo. Where there is no such tool, there is no such mark.
  await promisify(execFile)('chattr', ['-R', '-f', '-i', '-a', '--', target]).catch(() => {});
  await rm(target, removeOptions);
}

const removeOptions = { recursive: true, force: true, maxRetries: 3 } as const;

async function tryRemove(target: string): Promise<boolean> {
  try {
    await rm(target, removeOptions);
    return true;
  } catch {
    return false;
  }
}

/** Makes every folder of a tree readable and writable for us. Symlinks are left alone. */
async function openFolders(target: string): Promise<void> {
  const waiting = [target];
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    if (!(await isFolder(folder))) continue;
    await openUp(folder);
    const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) if (entry.isDirectory()) waiting.push(path.join(folder, entry.name));
  }
}

async function isFolder(target: string): Promise<boolean> {
  try {
    return (await lstat(target)).isDirectory();
  } catch {
    return false;
  }
}

async function openUp(folder: string): Promise<void> {
  // Of another user: then the removal tells.
  await chmod(folder, 0o700).catch(() => {});
}
