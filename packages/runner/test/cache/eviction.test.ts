import { readdir, rm } from 'node:fs/promises';
import { eventually } from '@forgejo-runner/testkit';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { findV1, openTestCache, restoreV1, saveV1, type TestCache, type TestJob } from './open-test-cache.ts';

const hourMs = 3_600_000;
let opened: TestCache;
let nowMs: number;

beforeEach(async () => {
  nowMs = Date.now();
  vi.spyOn(Date, 'now').mockImplementation(() => nowMs);
  opened = await openTestCache({
    limits: { maxBytes: 100, maxRepositoryBytes: 60, maxUnusedMs: 24 * hourMs, maxAgeMs: 72 * hourMs },
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await opened[Symbol.asyncDispose]();
});

async function saveLater(job: TestJob, key: string, bytes: number): Promise<void> {
  nowMs += hourMs;
  expect((await saveV1(job, key, 'x'.repeat(bytes))).status).toBe(204);
  await opened.cache.evict();
}

async function kept(): Promise<readonly string[]> {
  return (await Array.fromAsync(opened.cache.store.list())).map(({ key }) => key).toSorted();
}

async function files(): Promise<number> {
  const folder = opened.folder.join('entries');
  const all = await Promise.all((await readdir(folder)).map((name) => readdir(`${folder}/${name}`)));
  return all.flat().length;
}

it('removes what a repository has too much, what nobody used for longest first', async () => {
  const job = opened.job();
  await saveLater(job, 'a', 20);
  await saveLater(job, 'b', 20);
  await saveLater(job, 'c', 20);
  nowMs += hourMs;
  expect(await restoreV1(job, ['a'])).toHaveLength(20);
  await saveLater(job, 'd', 20);
  expect(await kept()).toStrictEqual(['a', 'c', 'd']);
  expect(await files()).toBe(3);
});

it('takes nothing from one repository for the quota of another', async () => {
  await saveLater(opened.job({ repository: 'quiet' }), 'k', 10);
  for (const key of ['a', 'b', 'c', 'd', 'e']) await saveLater(opened.job({ repository: 'busy' }), key, 20);
  expect(await findV1(opened.job({ repository: 'quiet' }), ['k'])).toBeDefined();
  expect(await kept()).toStrictEqual(['c', 'd', 'e', 'k']);
});

it('keeps entries of one key that belong to different repositories and scopes', async () => {
  await saveLater(opened.job({ repository: 'one' }), 'k', 10);
  await saveLater(opened.job({ repository: 'two' }), 'k', 10);
  await saveLater(opened.job({ repository: 'two', read: ['pr', ''], write: 'pr' }), 'k', 10);
  nowMs += 2 * hourMs;
  await opened.cache.evict();
  expect(await kept()).toStrictEqual(['k', 'k', 'k']);
});

it('removes what is too much altogether', async () => {
  for (const repository of ['one', 'two', 'three']) await saveLater(opened.job({ repository }), repository, 40);
  expect(await kept()).toStrictEqual(['three', 'two']);
});

it('removes what nobody used for long, and what is old however much it is used', async () => {
  const job = opened.job();
  await saveLater(job, 'unused', 5);
  await saveLater(job, 'used', 5);
  for (let hours = 0; hours < 60; hours += 20) {
    nowMs += 20 * hourMs;
    expect(await findV1(job, ['used'])).toBeDefined();
    await opened.cache.evict();
  }
  expect(await kept()).toStrictEqual(['used']);
  nowMs += 20 * hourMs;
  await findV1(job, ['used']);
  await opened.cache.evict();
  expect(await kept()).toStrictEqual([]);
  expect(await files()).toBe(0);
});

it('evicts by itself after an entry came in', async () => {
  const job = opened.job();
  for (const key of ['a', 'b', 'c', 'd']) {
    nowMs += hourMs;
    await saveV1(job, key, 'x'.repeat(20));
  }
  await eventually(async () => (await kept()).length === 3, { what: 'an eviction' });
  expect(await kept()).toStrictEqual(['b', 'c', 'd']);
});

it('lets a download go on whose entry is evicted', async () => {
  const job = opened.job();
  await saveLater(job, 'a', 20);
  const found = await Array.fromAsync(opened.cache.store.list());
  await using content = await opened.cache.open(job.access, found[0]?.id ?? '');
  await opened.cache.store.remove(found[0]?.id ?? '');
  expect(Buffer.concat(await Array.fromAsync(await content.read({ start: 0, end: 20 }))).toString()).toBe(
    'x'.repeat(20),
  );
});

it('has no entry whose file somebody removed', async () => {
  const job = opened.job();
  await saveLater(job, 'a', 20);
  await rm(opened.folder.join('entries'), { recursive: true });
  expect((await fetch(String((await findV1(job, ['a']))?.archiveLocation))).status).toBe(404);
  expect(await findV1(job, ['a'])).toBeUndefined();
  await saveLater(job, 'a', 20);
  expect(await restoreV1(job, ['a'])).toBe('x'.repeat(20));
});
