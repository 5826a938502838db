import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { SweepReport, SweepRequest } from '@forgejo-runner/core';
import { readOwner, unnamed } from './owner-file.ts';
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
    if (owner === undefined || owner.runner !== request.owner.runner) continue;
    const isOthers = owner.boot !== request.owner.boot && request.otherBoots === 'only-expired';
    if (request.keep.includes(name) || (isOthers && owner.expiresAt > Date.now())) {
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
