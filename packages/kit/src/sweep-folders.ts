import type { RemoveReport, SweepReport, SweepRequest } from '@forgejo-runner/core';
import { type Draft, listDrafts, listOwnedFolders } from './owned-folders.ts';
import { type OwnerFile, ownerFileName, readOwnerFile } from './owner-file.ts';
import { type IdentitySource, isGone } from './process-identity.ts';
import { removeTree } from './remove-tree.ts';

/** Where to sweep, and what must stay although nobody asked to keep it. */
export interface SweepPlace {
  readonly parent: string;
  readonly machine: IdentitySource;
  /** Names of environments that live in this process. */
  readonly living: ReadonlySet<string>;
  /** Environments of this process are being made right now. */
  readonly isMaking: () => boolean;
  /** Ends what runs in an environment and removes its folder, the owner file last. Never rejects. */
  readonly remove: (folder: string, owned: OwnerFile) => Promise<RemoveReport>;
}

/** Removes the environments that earlier processes of a runner left. Touches nothing without its owner file. */
export async function sweepOwnedFolders(place: SweepPlace, request: SweepRequest): Promise<SweepReport> {
  const kept: string[] = [];
  const reports: RemoveReport[] = [];
  for (const folder of await listOwnedFolders(place.parent)) {
    const found = await readOwnerFile(folder);
    if (found === undefined || found.owner.runner !== request.owner.runner) continue;
    if (await mustStay(found, place, request)) kept.push(found.name);
    else if (request.dryRun) reports.push({ removed: [folder], leaked: [] });
    else reports.push(await place.remove(folder, found));
  }
  for (const draft of await listDrafts(place.parent, request.owner)) {
    if (await isAbandoned(draft, place)) reports.push(await removeDraft(draft, request.dryRun));
  }
  return {
    kept,
    removed: reports.flatMap((report) => report.removed),
    leaked: reports.flatMap((report) => report.leaked),
  };
}

async function mustStay(found: OwnerFile, place: SweepPlace, request: SweepRequest): Promise<boolean> {
  if (request.keep.includes(found.name) || place.living.has(found.name)) return true;
  // Its own process should have done it, and is dead or frozen.
  if (found.expiresAt <= Date.now()) return false;
  // Of this very process and not alive: a removal that failed.
  if (found.owner.boot === request.owner.boot) return false;
  return request.otherBoots === 'only-expired' && !(await isGone(found.process, place.machine));
}

async function isAbandoned(draft: Draft, place: SweepPlace): Promise<boolean> {
  const started = await place.machine.table.startOf(draft.pid);
  if (started !== draft.started) return true;
  return draft.pid === process.pid && !place.isMaking();
}

async function removeDraft(draft: Draft, dryRun: boolean): Promise<RemoveReport> {
  if (dryRun) return { removed: [draft.folder], leaked: [] };
  const { isRemoved, error = '' } = await removeTree(draft.folder, ownerFileName);
  return isRemoved
    ? { removed: [draft.folder], leaked: [] }
    : { removed: [], leaked: [{ resource: draft.folder, error }] };
}
