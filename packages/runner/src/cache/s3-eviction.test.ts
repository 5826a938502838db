import { expect, it } from 'vitest';
import { excessOf } from './s3-eviction.ts';

const limits = { maxBytes: 100, maxRepositoryBytes: 60, maxUnusedMs: 1000, maxAgeMs: 5000 };
const nowMs = 10_000;

function object(repository: string, size: number, usedMs: number, createdMs: number = usedMs) {
  return { name: `${repository}/s/v/k/${createdMs}-id`, size, usedMs };
}

it.each([
  ['nothing within the limits', [object('a', 60, 9900), object('b', 40, 9900)], []],
  ['what was unused for too long', [object('a', 1, 8999), object('a', 1, 9001)], [8999]],
  ['what is too old although it is used', [object('a', 1, 9900, 4000), object('a', 1, 9800, 6000)], [9900]],
  [
    'what a repository has too much, unused first',
    [object('a', 30, 9700), object('a', 30, 9900), object('a', 30, 9800)],
    [9700],
  ],
  ['what is too much together', [object('a', 50, 9700), object('b', 50, 9900), object('c', 50, 9800)], [9700]],
])('removes %s', (_what, objects, removed) => {
  expect(excessOf(objects, limits, nowMs).map(({ usedMs }) => usedMs)).toStrictEqual(removed);
});
