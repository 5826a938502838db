import { randomBytes } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { callContext, openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import S3rver from 's3rver';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openS3Store, type S3Settings } from '../../src/cache/s3-store.ts';
import { findV1, openTestCache, restoreV1, saveV1, type TestCache } from './open-test-cache.ts';

// Two runners that share a bucket of a storage that speaks S3 over HTTP.

let storage: S3rver;
let folder: TempFolder;
let settings: S3Settings;
let runners: readonly [TestCache, TestCache];

beforeEach(async () => {
  folder = await openTempFolder();
  storage = new S3rver({
    address: '127.0.0.1',
    port: 0,
    silent: true,
    directory: folder.path,
    configureBuckets: [{ name: 'caches', configs: [] }],
  });
  const { port }: AddressInfo = await storage.run();
  settings = {
    endpoint: `http://127.0.0.1:${port}`,
    region: 'us-east-1',
    bucket: 'caches',
    prefix: 'ci/runners',
    credentials: { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' },
  };
  const open = (): Promise<TestCache> => openTestCache({ store: (log) => openS3Store(settings, log) });
  runners = [await open(), await open()];
});

afterEach(async () => {
  for (const runner of runners) await runner[Symbol.asyncDispose]();
  await storage.close();
  await folder[Symbol.asyncDispose]();
});

it('gives one runner what another one saved', async () => {
  const [one, other] = runners;
  const content = randomBytes(20 * 1024 * 1024);
  expect((await saveV1(one.job(), 'Node-1', content)).status).toBe(204);
  const found = await findV1(other.job(), ['none', 'node-']);
  expect(found?.cacheKey).toBe('Node-1');
  const link = String(found?.archiveLocation);
  expect(content.equals(Buffer.from(await (await fetch(link)).arrayBuffer()))).toBe(true);
  const part = await fetch(link, { headers: { range: 'bytes=1000000-1000009' } });
  expect([part.status, part.headers.get('content-range')]).toStrictEqual([
    206,
    `bytes 1000000-1000009/${content.length}`,
  ]);
  expect(Buffer.from(await part.arrayBuffer())).toStrictEqual(content.subarray(1_000_000, 1_000_010));
});

it('finds the exact key before what begins with it, and of those the newest', async () => {
  const [one, other] = runners;
  for (const key of ['a', 'ab', 'abc']) await saveV1(one.job(), key, key);
  expect(await restoreV1(other.job(), ['a'])).toBe('a');
  expect(await restoreV1(other.job(), ['AB'])).toBe('ab');
  expect(await restoreV1(other.job(), ['x', 'abc', 'a'])).toBe('abc');
  await saveV1(one.job(), 'p/1', 'old');
  await saveV1(one.job(), 'p/2', 'new');
  expect(await restoreV1(other.job(), ['p'])).toBe('new');
  expect(await findV1(other.job(), ['a'], 'other')).toBeUndefined();
});

it('keeps keys of any length and signs apart', async () => {
  const [one, other] = runners;
  const long = 'é'.repeat(510);
  const keys = [`${long}1`, `${long}2`, '100%', '../../x', '日本 語', "it's"];
  for (const key of keys) expect((await saveV1(one.job(), key, key)).status).toBe(204);
  for (const key of keys) expect(await restoreV1(other.job(), [key])).toBe(key);
  expect(await restoreV1(other.job(), ['é'.repeat(300)])).toBe(`${long}2`);
  expect((await saveV1(other.job(), keys[0] ?? '', 'again')).status).toBe(409);
});

it('keeps repositories and scopes apart, whatever a job asks for', async () => {
  const [one, other] = runners;
  await saveV1(one.job(), 'k', 'mine');
  await saveV1(one.job({ read: ['refs/pull/1/head', ''], write: 'refs/pull/1/head' }), 'pr', 'theirs');
  const mine = String((await findV1(one.job(), ['k']))?.archiveLocation.split('/').at(-1));
  const stranger = other.job({ repository: 'x/y/z' });
  expect(await findV1(stranger, ['k'])).toBeUndefined();
  expect((await stranger.v1(`artifacts/${mine}`)).status).toBe(404);
  expect(await findV1(other.job(), ['pr'])).toBeUndefined();
  for (const name of ['', '/', '../x', 'ci/runners']) {
    const id = Buffer.from(name).toString('base64url') || '-';
    expect((await other.job().v1(`artifacts/${id}`)).status).toBe(404);
  }
});

it('saves an empty entry, and lists and removes entries', async () => {
  const [one, other] = runners;
  await saveV1(one.job(), 'empty', '');
  await saveV1(one.job(), 'full', 'x');
  expect(await restoreV1(other.job(), ['empty'])).toBe('');
  const entries = await Array.fromAsync(other.cache.store.list());
  expect(entries.map(({ key, size }) => [key, size])).toStrictEqual([
    ['empty', 0],
    ['full', 1],
  ]);
  for (const { id } of entries) await other.cache.store.remove(id);
  expect(await findV1(one.job(), ['empty', 'full'])).toBeUndefined();
});

it('removes what is beyond the limits', async () => {
  await using small = await openTestCache({
    limits: { maxBytes: 10, maxRepositoryBytes: 10 },
    store: (log) => openS3Store(settings, log),
  });
  const [one] = runners;
  await saveV1(one.job(), 'a', '123456');
  await saveV1(one.job({ repository: 'a/b/c' }), 'b', '123456');
  expect((await small.cache.evict()).entries).toBe(1);
  expect(await Array.fromAsync(one.cache.store.list())).toHaveLength(1);
});

it('says what is wrong with a bucket', async () => {
  const { log } = callContext();
  await expect(openS3Store({ ...settings, bucket: 'nowhere' }, log)).rejects.toThrow(
    /FRR801|expected the bucket nowhere/,
  );
  const wrong = { accessKeyId: 'x', secretAccessKey: 'y' };
  await expect(openS3Store({ ...settings, credentials: wrong }, log)).rejects.toThrow('expected the bucket caches');
});
