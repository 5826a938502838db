import type { CacheLimits } from './cache-store.ts';
import { createdOf } from './s3-names.ts';
import type { ListedObject } from './s3-store.ts';

/** Which objects are beyond the limits: too old first, then what nobody used for longest. */
export function excessOf(
  objects: readonly ListedObject[],
  limits: CacheLimits,
  nowMs: number,
): readonly ListedObject[] {
  const excess: ListedObject[] = [];
  const kept: ListedObject[] = [];
  for (const object of objects) {
    const isTooOld = createdOf(object.name) < nowMs - limits.maxAgeMs || object.usedMs < nowMs - limits.maxUnusedMs;
    (isTooOld ? excess : kept).push(object);
  }
  // From the most recent on: what comes after the limit is reached has to go.
  kept.sort((a, b) => b.usedMs - a.usedMs);
  const ofRepository = new Map<string, number>();
  let bytes = 0;
  for (const object of kept) {
    const repository = object.name.slice(0, object.name.indexOf('/'));
    const sum = (ofRepository.get(repository) ?? 0) + object.size;
    if (sum > limits.maxRepositoryBytes || bytes + object.size > limits.maxBytes) {
      excess.push(object);
      continue;
    }
    ofRepository.set(repository, sum);
    bytes += object.size;
  }
  return excess;
}
