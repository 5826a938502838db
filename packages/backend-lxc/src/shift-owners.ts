import { lchown, lstat, chmod, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { LxcConfig } from './config.ts';

/**
 * Gives the files of a root file system to the users of this machine that stand for those of an unprivileged container.
 * Changing an owner takes set-user-id bits away, so modes are set again.
 */
export async function shiftOwners(rootfs: string, { first, count }: LxcConfig['id_map']): Promise<void> {
  const waiting = [rootfs];
  for (let at = waiting.pop(); at !== undefined; at = waiting.pop()) {
    const { uid, gid, mode } = await lstat(at);
    const kind = mode & 0o170_000;
    await lchown(at, first + (uid % count), first + (gid % count));
    if (kind !== 0o120_000) await chmod(at, mode & 0o7777);
    if (kind !== 0o040_000) continue;
    for (const name of await readdir(at)) waiting.push(path.join(at, name));
  }
}
