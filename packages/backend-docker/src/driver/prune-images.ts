import { type CallContext, isBackendError, type PruneReport, type PruneRequest } from '@forgejo-runner/core';
import { statusOf } from '../platform-errors.ts';
import { askEngine } from './ask-engine.ts';
import type { DockerEndpoint } from './endpoint.ts';
import type { ImageRecords, UsedImageRecord } from './image-records.ts';
import { labelKeys } from './object-labels.ts';

/** How much a runner keeps in an engine. */
export interface PruneLimits {
  readonly records?: ImageRecords;
  /** Images that no job used for so long go. */
  readonly unusedMs: number;
  /** The least recently used go until so many bytes are left. */
  readonly maxBytes?: number;
}

/** An image of ours. */
interface Candidate {
  /** What the engine is told to remove: a name, where others may have the same image under another one. */
  readonly reference: string;
  readonly id: string;
  readonly name: string;
  readonly bytes: number;
  readonly usedAtMs: number;
  readonly record?: UsedImageRecord;
}

/** A job may be just about to make a container of what was used so lately. */
const keptMs = 10 * 60_000;

/**
 * Removes images that the runner built, which carry its label, and those that it pulled where they had not been before,
 * when no job used them for long. Images of others, and those that any container is made of, stay.
 */
export async function pruneImages(
  endpoint: DockerEndpoint,
  request: PruneRequest,
  limits: PruneLimits,
  ctx: CallContext,
): Promise<PruneReport> {
  const { unusedMs = limits.unusedMs, maxBytes = limits.maxBytes ?? Number.POSITIVE_INFINITY, dryRun } = request;
  const inUse = await usedImages(endpoint, ctx);
  const candidates = await findCandidates(endpoint, request, limits.records, ctx);
  const report = { removed: [] as string[], leaked: [] as PruneReport['leaked'][number][], freedBytes: 0 };
  let keptBytes = candidates.reduce((sum, { bytes }) => sum + bytes, 0);
  const now = Date.now();
  for (const candidate of candidates.toSorted((one, other) => one.usedAtMs - other.usedAtMs)) {
    const ageMs = now - candidate.usedAtMs;
    if (ageMs < keptMs || inUse.has(candidate.id) || (ageMs <= unusedMs && keptBytes <= maxBytes)) continue;
    const outcome = dryRun ? 'removed' : await removeImage(endpoint, candidate, limits.records, ctx);
    if (outcome === 'in use') continue;
    if (outcome === 'removed') {
      report.removed.push(`image ${candidate.name}`);
      report.freedBytes += candidate.bytes;
      keptBytes -= candidate.bytes;
    } else report.leaked.push({ resource: `image ${candidate.name}`, error: outcome.error });
  }
  return { ...report, keptBytes };
}

async function usedImages({ client }: DockerEndpoint, ctx: CallContext): Promise<ReadonlySet<string>> {
  const containers = await askEngine({ doing: 'list containers' }, ctx, () => client.listContainers({ all: true }));
  return new Set(containers.map(({ ImageID }) => plainId(ImageID)));
}

async function findCandidates(
  endpoint: DockerEndpoint,
  { owner, dryRun }: PruneRequest,
  records: ImageRecords | undefined,
  ctx: CallContext,
): Promise<readonly Candidate[]> {
  const known = (await records?.list()) ?? [];
  const filters = { label: [`${labelKeys.runner}=${owner.runner}`] };
  const images = await askEngine({ doing: 'list the images of the runner' }, ctx, () =>
    endpoint.client.listImages({ filters }),
  );
  const built = images
    // Filters of an engine are not trusted with what must not be removed.
    .filter(({ Labels }) => Labels?.[labelKeys.runner] === owner.runner)
    .map((image): Candidate => {
      const record = known.find(({ kind, id }) => kind === 'built' && plainId(id) === plainId(image.Id));
      const [name = image.Id] = (image.RepoTags ?? []).filter((tag) => tag !== '<none>:<none>');
      const usedAtMs = record?.usedAtMs ?? image.Created * 1000;
      return {
        reference: name,
        id: plainId(image.Id),
        name,
        bytes: image.Size,
        usedAtMs,
        ...(record === undefined ? {} : { record }),
      };
    });
  const pulled = await Promise.all(
    known
      .filter(({ kind, isOurs }) => kind === 'pulled' && isOurs)
      .map((record) => findPulled(endpoint, record, dryRun ? undefined : records, ctx)),
  );
  return [...built, ...pulled.filter((candidate) => candidate !== undefined)];
}

/** Somebody else may have brought another image under that name meanwhile: then it is theirs. */
async function findPulled(
  { client }: DockerEndpoint,
  record: UsedImageRecord,
  records: ImageRecords | undefined,
  ctx: CallContext,
): Promise<Candidate | undefined> {
  const { name, id, usedAtMs } = record;
  const found = await askEngine({ doing: 'look for a pulled image', resource: name }, ctx, async () => {
    try {
      return await client.getImage(name).inspect();
    } catch (error) {
      if (statusOf(error) === 404) return undefined;
      throw error;
    }
  });
  if (found !== undefined && plainId(found.Id) === plainId(id)) {
    return { reference: name, id: plainId(id), name, bytes: found.Size, usedAtMs, record };
  }
  if (found === undefined) await records?.forget(record);
  return undefined;
}

async function removeImage(
  { client }: DockerEndpoint,
  { reference, record }: Candidate,
  records: ImageRecords | undefined,
  ctx: CallContext,
): Promise<'removed' | 'in use' | { readonly error: string }> {
  try {
    await askEngine({ doing: 'remove an image', resource: reference }, ctx, async () => {
      try {
        await client.getImage(reference).remove({ force: false });
      } catch (error) {
        if (statusOf(error) !== 404) throw error;
      }
    });
    if (record !== undefined) await records?.forget(record);
    return 'removed';
  } catch (error) {
    const cause = isBackendError(error) ? error.details.cause : error;
    // A container was made of it just now, or another image stands on it.
    if (statusOf(cause) === 409) return 'in use';
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

/** Engines write ids with the name of the hash or without it. */
function plainId(id: string): string {
  return id.replace(/^sha256:/, '');
}
