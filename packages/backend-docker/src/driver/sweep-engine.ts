import type { CallContext, SweepReport, SweepRequest } from '@forgejo-runner/core';
import type { DockerEndpoint } from './endpoint.ts';
import { livingEnvironments } from './living-environments.ts';
import { listOwnedObjects, type OwnedObject } from './owned-objects.ts';
import { removeObjects } from './remove-objects.ts';

/**
 * Removes what earlier processes of a runner left in an engine, and what this one could not remove before. Only what
 * carries the labels of that runner is looked at.
 */
export async function sweepEngine(
  endpoint: DockerEndpoint,
  request: SweepRequest,
  ctx: CallContext,
): Promise<SweepReport> {
  const kept = new Set<string>();
  const orphans: OwnedObject[] = [];
  for (const object of await listOwnedObjects(endpoint, { runner: request.owner.runner }, ctx)) {
    if (mustStay(object, request)) kept.add(object.environment);
    else orphans.push(object);
  }
  if (request.dryRun) {
    return { removed: orphans.map(({ kind, name }) => `${kind} ${name}`), leaked: [], kept: [...kept] };
  }
  return { ...(await removeObjects(endpoint, orphans, ctx)), kept: [...kept] };
}

function mustStay({ environment, boot, expiresAt }: OwnedObject, request: SweepRequest): boolean {
  if (request.keep.includes(environment)) return true;
  if (boot === request.owner.boot) return !livingEnvironments.isLeaked(environment);
  // What does not say when it ends may be of a version that says it elsewhere.
  return request.otherBoots === 'only-expired' && !(expiresAt <= Date.now());
}
