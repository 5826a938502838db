import { afterEach, beforeEach, expect, it } from 'vitest';
import { findV1, openTestCache, restoreV1, saveV1, type TestCache } from './open-test-cache.ts';

let opened: TestCache;
beforeEach(async () => {
  opened = await openTestCache();
});
afterEach(() => opened[Symbol.asyncDispose]());

const pull = { read: ['refs/pull/7/head', ''], write: 'refs/pull/7/head' };
const otherPull = { read: ['refs/pull/8/head', ''], write: 'refs/pull/8/head' };

it('shows entries of a repository to all of its jobs, and to no other repository', async () => {
  expect((await saveV1(opened.job(), 'k', 'mine')).status).toBe(204);
  expect(await restoreV1(opened.job(), ['k'])).toBe('mine');
  for (const repository of ['forgejo.example/me/other', 'other.example/me/mine', 'forgejo.example/me/min', '', '%']) {
    const stranger = opened.job({ repository });
    expect(await findV1(stranger, ['k', ''])).toBeUndefined();
    expect((await stranger.v1('artifacts/1')).status).toBe(404);
  }
});

it('shows a pull request what is shared, and nobody else what a pull request writes', async () => {
  await saveV1(opened.job(), 'base', 'shared');
  await saveV1(opened.job(pull), 'theirs', 'poison');
  expect(await restoreV1(opened.job(pull), ['base'])).toBe('shared');
  expect(await restoreV1(opened.job(pull), ['theirs'])).toBe('poison');
  for (const job of [opened.job(), opened.job(otherPull)]) {
    expect(await findV1(job, ['theirs'])).toBeUndefined();
    expect((await job.v1('artifacts/2')).status).toBe(404);
  }
});

it('prefers what a pull request wrote itself, and lets it use a key that is taken elsewhere', async () => {
  await saveV1(opened.job(), 'k', 'shared');
  expect((await saveV1(opened.job(pull), 'k', 'own')).status).toBe(204);
  expect(await restoreV1(opened.job(pull), ['k'])).toBe('own');
  expect(await restoreV1(opened.job(), ['k'])).toBe('shared');
});

it('lets a job that may only read reserve nothing', async () => {
  const reader = opened.job({}, { mayWrite: false });
  expect((await saveV1(reader, 'k', 'x')).status).toBe(403);
  expect((await reader.v2('CreateCacheEntry', { key: 'k', version: 'v' })).status).toBe(403);
  expect((await reader.v2('FinalizeCacheEntryUpload', { key: 'k', version: 'v', size_bytes: '1' })).status).toBe(404);
});

it('knows a job no more when it is over, whatever it still has', async () => {
  const job = opened.job();
  await saveV1(job, 'k', 'kept');
  const found = await findV1(job, ['k']);
  const answered = (await (await job.v2('GetCacheEntryDownloadURL', { key: 'k', version: 'v' })).json()) as Record<
    string,
    string
  >;
  const begun = (await (await job.v2('CreateCacheEntry', { key: 'n', version: 'v' })).json()) as Record<string, string>;
  const links = [found?.archiveLocation, answered['signed_download_url']].map(String);
  for (const link of links) expect(await (await fetch(link)).text()).toBe('kept');
  job.key[Symbol.dispose]();
  for (const link of links) expect((await fetch(link)).status).toBe(401);
  expect((await fetch(begun['signed_upload_url'] ?? '', { method: 'PUT', body: 'x' })).status).toBe(401);
  expect((await job.v1('cache?keys=k&version=v')).status).toBe(401);
  expect((await job.v2('GetCacheEntryDownloadURL', { key: 'k', version: 'v' })).status).toBe(401);
});

it('lets no job touch the upload of another one', async () => {
  const [mine, other, pulled] = [opened.job(), opened.job(), opened.job(pull)];
  const { cacheId } = (await (
    await mine.v1('caches', { method: 'POST', body: JSON.stringify({ key: 'k', version: 'v' }) })
  ).json()) as { cacheId: number };
  for (const job of [other, pulled]) {
    const sent = await job.v1(`caches/${cacheId}`, {
      method: 'PATCH',
      body: 'x',
      headers: { 'content-range': 'bytes 0-0/*' },
    });
    expect(sent.status).toBe(404);
    expect((await job.v1(`caches/${cacheId}`, { method: 'POST', body: '{"size":0}' })).status).toBe(404);
  }
  // Nor begin the same meanwhile.
  expect((await saveV1(other, 'k', 'x')).status).toBe(409);
});

it('keeps signed addresses to the one thing that they are for', async () => {
  const job = opened.job();
  await saveV1(job, 'a', 'first');
  await saveV1(job, 'b', 'second');
  const { signed_download_url: link = '' } = (await (
    await job.v2('GetCacheEntryDownloadURL', { key: 'a', version: 'v' })
  ).json()) as Record<string, string>;
  expect(await (await fetch(link)).text()).toBe('first');
  const changed = [
    link.replace('/entry/1/', '/entry/2/'),
    link.replace('/entry/', '/upload/'),
    link.replace(/se=\d+/, 'se=99999999999999'),
    link.replace(/sig=.{4}/, 'sig=AAAA'),
    link.replace(/&sig=.*/, ''),
    link.replace(/job=\w+/, `job=${opened.job().access.job}`),
    link.replace(/job=\w+/, `job=${opened.job({ repository: 'x/y/z' }).access.job}`),
  ];
  expect(await Promise.all(changed.map(async (one) => (await fetch(one)).status))).toStrictEqual(
    changed.map(() => 401),
  );
  expect((await fetch(link, { method: 'PUT', body: 'x' })).status).toBe(404);
});

it('answers nobody without a token', async () => {
  for (const path of [
    '/_apis/artifactcache/cache?keys=k&version=v',
    `/${'a'.repeat(43)}/_apis/artifactcache/cache?keys=k&version=v`,
  ])
    expect((await fetch(opened.origin + path)).status).toBe(401);
  // Headers of a runner's proxy count only where there is a secret to prove them with.
  const forged = {
    'Forgejo-Cache-Repo': 'forgejo.example/me/mine',
    'Forgejo-Cache-MAC': '0'.repeat(64),
    'Forgejo-Cache-Timestamp': '1',
  };
  expect((await fetch(`${opened.origin}/_apis/artifactcache/cache?keys=k&version=v`, { headers: forged })).status).toBe(
    401,
  );
  const twirp = `${opened.origin}/twirp/github.actions.results.api.v1.CacheService/CreateCacheEntry`;
  expect((await fetch(twirp, { method: 'POST', body: '{}' })).status).toBe(401);
  expect((await fetch(twirp, { method: 'POST', body: '{}', headers: { authorization: 'Bearer x' } })).status).toBe(401);
});

it('gives every job a token of 256 bits', () => {
  const tokens = new Set(Array.from({ length: 50 }, () => opened.job().key.token));
  expect(tokens.size).toBe(50);
  for (const token of tokens) expect(Buffer.from(token, 'base64url')).toHaveLength(32);
});
