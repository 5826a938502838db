import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { claimMac } from '../../src/cache/trusted-runner.ts';
import { findV1, openTestCache, restoreV1, saveV1, type TestCache } from './open-test-cache.ts';

// Runners whose caches are on a server elsewhere.

const secret = 'shared-secret';
let server: TestCache;
let runner: TestCache;
let other: TestCache;

beforeEach(async () => {
  server = await openTestCache({ server: { secret } });
  const remote = { url: server.origin, secret };
  runner = await openTestCache({ server: { remote } });
  other = await openTestCache({ server: { remote } });
});

afterEach(async () => {
  for (const one of [other, runner, server]) await one[Symbol.asyncDispose]();
});

it('shares entries between runners, through addresses of the runner of each job', async () => {
  const content = randomBytes(3_000_000);
  expect((await saveV1(runner.job(), 'k', content)).status).toBe(204);
  const found = await findV1(other.job(), ['k']);
  expect(found?.archiveLocation.startsWith(`${other.origin}/`)).toBe(true);
  const part = await fetch(String(found?.archiveLocation), { headers: { range: 'bytes=5-9' } });
  expect(Buffer.from(await part.arrayBuffer())).toStrictEqual(content.subarray(5, 10));
  expect(await Array.fromAsync(runner.cache.store.list())).toStrictEqual([]);
});

it('hands on the second API as well', async () => {
  const job = runner.job();
  const begun = (await (await job.v2('CreateCacheEntry', { key: 'k', version: 'v' })).json()) as Record<string, string>;
  const link = begun['signed_upload_url'] ?? '';
  expect(link.startsWith(`${runner.origin}/`)).toBe(true);
  expect((await fetch(link, { method: 'PUT', body: 'content' })).status).toBe(201);
  await job.v2('FinalizeCacheEntryUpload', { key: 'k', version: 'v', size_bytes: '7' });
  const found = (await (await other.job().v2('GetCacheEntryDownloadURL', { key: 'k', version: 'v' })).json()) as Record<
    string,
    string
  >;
  expect(await (await fetch(found['signed_download_url'] ?? '')).text()).toBe('content');
});

it('keeps repositories and pull requests apart', async () => {
  const pull = { read: ['refs/pull/7/head', ''], write: 'refs/pull/7/head' };
  await saveV1(runner.job(), 'k', 'shared');
  await saveV1(runner.job(pull), 'theirs', 'poison');
  expect(await restoreV1(other.job(pull), ['k'])).toBe('shared');
  expect(await restoreV1(other.job(pull), ['theirs'])).toBe('poison');
  expect(await findV1(other.job(), ['theirs'])).toBeUndefined();
  expect(await findV1(other.job({ repository: 'x/y/z' }), ['k'])).toBeUndefined();
  expect((await saveV1(runner.job({}, { mayWrite: false }), 'n', 'x')).status).toBe(403);
});

it('passes nothing on that a job claims itself', async () => {
  await saveV1(runner.job({ repository: 'x/y/z' }), 'k', 'theirs');
  const forged = { 'Forgejo-Cache-Repo': 'x/y/z', 'Forgejo-Cache-WriteIsolationKey': '' };
  const answer = await runner.job().v1('cache?keys=k&version=v', { headers: forged });
  expect(answer.status).toBe(204);
});

it('takes requests of the Go runner, and none without its secret, of tomorrow or of last week', async () => {
  const nowS = Math.floor(Date.now() / 1000);
  const ask = async (change: { secret?: string; timestamp?: number; mac?: string; repository?: string } = {}) => {
    const claim = { repository: 'me/mine', run: '7', timestamp: String(change.timestamp ?? nowS), scope: '' };
    const headers = {
      'Forgejo-Cache-Repo': change.repository ?? claim.repository,
      'Forgejo-Cache-RunNumber': claim.run,
      'Forgejo-Cache-Timestamp': claim.timestamp,
      'Forgejo-Cache-MAC': change.mac ?? claimMac(change.secret ?? secret, claim),
      'Forgejo-Cache-Host': 'http://10.0.0.1:1234',
      'Forgejo-Cache-RunId': '1a2b3c4d',
    };
    return fetch(`${server.origin}/_apis/artifactcache/cache?keys=k&version=v`, { headers });
  };
  expect((await ask()).status).toBe(204);
  await saveV1(server.job({ repository: 'me/mine' }), 'k', 'kept');
  expect(((await (await ask()).json()) as { archiveLocation: string }).archiveLocation).toBe(
    'http://10.0.0.1:1234/1a2b3c4d/_apis/artifactcache/artifacts/1',
  );
  const refused = [
    { secret: 'other' },
    { mac: 'x' },
    { repository: 'x/y' },
    { timestamp: nowS + 3600 },
    { timestamp: nowS - 604_800 },
  ];
  for (const change of refused) expect((await ask(change)).status).toBe(403);
});

it('has the proof that the Go runner has', () => {
  const claim = { repository: 'testuser/repo', run: '1', timestamp: '0', scope: '' };
  expect(claimMac('secret', claim)).toBe('bc2e9167f9e310baebcead390937264e4c0b21d2fdd49f5b9470d54406099360');
});

it('says when the server is not there, and goes on', async () => {
  await server[Symbol.asyncDispose]();
  const answer = await runner.job().v1('cache?keys=k&version=v');
  expect([answer.status, await answer.text()]).toStrictEqual([502, expect.stringContaining('is not reached')]);
  expect((await fetch(runner.origin)).status).toBe(200);
});

it('asks a server elsewhere whether it knows the second API', async () => {
  expect(await runner.server.hasSecondApi()).toBe(true);
  expect(await server.server.hasSecondApi()).toBe(true);
  // As that of the Go runner answers what it does not know.
  const goServer = createServer((_request, response) => response.writeHead(404).end('404 page not found\n'));
  await once(goServer.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(goServer.address() as AddressInfo).port}`;
  await using old = await openTestCache({ server: { remote: { url, secret } } });
  expect(await old.server.hasSecondApi()).toBe(false);
  goServer.close();
  expect(await old.server.hasSecondApi()).toBe(false);
});
