import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { SweepReport, SweepRequest } from '@forgejo-runner/core';
import { isMakerGone, type OwnerFile, readOwner, unnamed } from './owner-file.ts';
import { platformError } from './platform-errors.ts';
import { removeTree } from './remove-tree.ts';

/**
 * Removes the folders of runners that are gone. Their processes need no sweep: the first one of each sandbox reads from
 * the runner that made it, and ends with that one.
 */
export async function sweep(parent: string, request: SweepRequest): Promise<SweepReport> {
  const removed: string[] = [];
  const kept: string[] = [];
  const leaked: { resource: string; error: string }[] = [];
  const entries = await readdir(parent, { withFileTypes: true });
  for (const name of entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)) {
    const folder = join(parent, name);
    if (name.startsWith(unnamed + request.owner.boot.slice(0, 8))) continue;
    const owner = await readOwner(folder);
    // The parent is this runner's own: one that was killed before it wrote the owner left a folder that only has a start.
    const isBegun = owner === undefined && name.startsWith(unnamed) && request.otherBoots === 'remove';
    if (!isBegun && owner?.runner !== request.owner.runner) continue;
    if (request.keep.includes(name) || (owner !== undefined && (await mayLive(owner, request)))) {
      kept.push(name);
      continue;
    }
    try {
      if (!request.dryRun) await removeTree(folder);
      removed.push(name);
    } catch (error) {
      leaked.push({ resource: folder, error: platformError(error, 'remove', folder).message });
    }
  }
  return { removed, kept, leaked };
}

/** Another process of the same runner may be at work with it. */
async function mayLive(owner: OwnerFile, { owner: own, otherBoots }: SweepRequest): Promise<boolean> {
  if (owner.boot === own.boot || otherBoots === 'remove' || owner.expiresAt <= Date.now()) return false;
  return !(await isMakerGone(owner));
}
