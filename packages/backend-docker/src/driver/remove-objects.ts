import { setTimeout as pause } from 'node:timers/promises';
import type { CallContext, RemoveReport } from '@forgejo-runner/core';
import { statusOf } from '../platform-errors.ts';
import type { DockerEndpoint } from './endpoint.ts';
import type { OwnedObject } from './owned-objects.ts';

/** What a removal needs to know of an object. */
export type Removable = Pick<OwnedObject, 'kind' | 'id' | 'name'>;

/** An engine works on the same container for itself for a while: after a build, a crash, on a slow disk. */
const maxTries = 12;
const longestPauseMs = 2000;

/** Removes containers, then networks, then volumes: the order in which they hold on to each other. Never rejects. */
export async function removeObjects(
  endpoint: DockerEndpoint,
  objects: readonly Removable[],
  ctx: CallContext,
): Promise<RemoveReport> {
  const removed: string[] = [];
  const leaked: { resource: string; error: string }[] = [];
  for (const kind of ['container', 'network', 'volume'] as const) {
    const ofKind = objects.filter((object) => object.kind === kind);
    await Promise.all(
      ofKind.map(async (object) => {
        const resource = `${kind} ${object.name}`;
        const error = await removeObject(endpoint, object, ctx);
        if (error === undefined) removed.push(resource);
        else leaked.push({ resource, error });
      }),
    );
  }
  return { removed, leaked };
}

/** Removes one object, and tries again while the engine is busy. What stays in the way is returned. */
async function removeObject(
  endpoint: DockerEndpoint,
  object: Removable,
  ctx: CallContext,
): Promise<string | undefined> {
  let error: unknown;
  for (let attempt = 1; attempt <= maxTries && !ctx.signal.aborted; attempt += 1) {
    try {
      await removeOnce(endpoint, object, ctx.signal);
      return undefined;
    } catch (failure) {
      if (statusOf(failure) === 404) return undefined;
      error = failure;
      // Somebody else's container in a network of ours is not waited for, but may be on its way out.
      await pause(Math.min(longestPauseMs, 50 * 2 ** attempt), undefined, { signal: ctx.signal }).catch(() => {});
    }
  }
  return error === undefined ? 'there was no time left to remove it' : textOf(error);
}

async function removeOnce(
  { client }: DockerEndpoint,
  { kind, id }: Removable,
  abortSignal: AbortSignal,
): Promise<void> {
  if (kind === 'container') await client.getContainer(id).remove({ force: true, v: true, abortSignal });
  else if (kind === 'network') await client.getNetwork(id).remove({ abortSignal });
  else await client.getVolume(id).remove({ force: false, abortSignal });
}

function textOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.slice(0, 500);
}
