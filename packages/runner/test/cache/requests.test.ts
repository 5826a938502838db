import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { eventually } from '@forgejo-runner/testkit';
import * as fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findV1, openTestCache, restoreV1, saveV1, type TestCache, type TestJob } from './open-test-cache.ts';

let opened: TestCache;
beforeEach(async () => {
  opened = await openTestCache({ limits: { maxRepositoryBytes: 8 * 1024 * 1024 } });
});
afterEach(() => opened[Symbol.asyncDispose]());

async function reserve(job: TestJob, key = 'k'): Promise<number> {
  const answer = await job.v1('caches', { method: 'POST', body: JSON.stringify({ key, version: 'v' }) });
  return ((await answer.json()) as { cacheId: number }).cacheId;
}

function patch(job: TestJob, id: number, range: string, body: Uint8Array | string): Promise<Response> {
  return job.v1(`caches/${id}`, { method: 'PATCH', body: Buffer.from(body), headers: { 'content-range': range } });
}

function commit(job: TestJob, id: number, size: number): Promise<Response> {
  return job.v1(`caches/${id}`, { method: 'POST', body: JSON.stringify({ size }) });
}

it('puts chunks together that come in any order, also twice', async () => {
  const content = randomBytes(100);
  const order = fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], { minLength: 10 });
  let number = 0;
  await fc.assert(
    fc.asyncProperty(order, fc.nat(9), async (parts, again) => {
      const job = opened.job();
      const id = await reserve(job, `k${(number += 1)}`);
      for (const part of [...parts, again]) {
        const sent = await patch(
          job,
          id,
          `bytes ${part * 10}-${part * 10 + 9}/*`,
          content.subarray(part * 10, part * 10 + 10),
        );
        expect(sent.status).toBe(204);
      }
      expect((await commit(job, id, 100)).status).toBe(204);
      const found = await findV1(job, [`k${number}`]);
      expect(Buffer.from(await (await fetch(String(found?.archiveLocation))).arrayBuffer())).toStrictEqual(content);
    }),
    { numRuns: 15 },
  );
});

it('goes on with an upload that broke off', async () => {
  const job = opened.job();
  const id = await reserve(job);
  const { hostname, port } = new URL(opened.origin);
  const socket = connect(Number(port), hostname);
  const path = `/${job.key.token}/_apis/artifactcache/caches/${id}`;
  socket.write(`PATCH ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nContent-Range: bytes 0-9/*\r\n\r\nhalf`);
  await once(socket, 'connect');
  const refused = async (): Promise<string> => (await commit(job, id, 10)).text();
  await eventually(async () => (await refused()).includes('still coming'), { what: 'an upload that is being written' });
  socket.destroy();
  expect((await patch(job, id, 'bytes 0-9/*', '0123456789')).status).toBe(204);
  await eventually(async () => (await commit(job, id, 10)).status === 204, { what: 'the end of the broken request' });
  expect(await restoreV1(job, ['k'])).toBe('0123456789');
});

it.each([
  [
    'a gap',
    [
      ['bytes 0-4/*', '01234'],
      ['bytes 6-9/*', '6789'],
    ],
    10,
  ],
  ['no beginning', [['bytes 5-9/*', '56789']], 10],
  ['too little', [['bytes 0-4/*', '01234']], 10],
  ['too much', [['bytes 0-9/*', '0123456789']], 5],
] as const)('makes no entry of an upload with %s', async (_what, chunks, size) => {
  const job = opened.job();
  const id = await reserve(job);
  for (const [range, body] of chunks) await patch(job, id, range, body);
  const answer = await commit(job, id, size);
  expect(answer.status).toBe(400);
  expect(((await answer.json()) as { message: string }).message).toMatch(/^expected /);
  expect(await findV1(job, ['k'])).toBeUndefined();
});

it.each([
  ['no range', '', 'x', 400],
  ['a range that is not one', 'bytes 5-1/*', 'x', 400],
  ['fewer bytes than its range', 'bytes 0-9/*', 'x', 400],
  ['more bytes than its range', 'bytes 0-0/*', 'xxx', 400],
  ['a place beyond the quota', 'bytes 9000000000-9000000000/*', 'x', 413],
  ['a place beyond all numbers', 'bytes 999999999999999999-999999999999999999/*', 'x', 400],
])('refuses a chunk with %s', async (_what, range, body, status) => {
  const job = opened.job();
  expect((await patch(job, await reserve(job), range, body)).status).toBe(status);
});

it('lets the uploads of a repository take no more than its quota', async () => {
  const job = opened.job();
  const big = Buffer.alloc(3 * 1024 * 1024);
  const statuses: number[] = [];
  for (const key of ['a', 'b', 'c']) {
    const id = await reserve(job, key);
    statuses.push((await patch(job, id, `bytes 0-${big.length - 1}/*`, big)).status);
  }
  expect(statuses).toStrictEqual([204, 204, 413]);
  expect((await saveV1(opened.job({ repository: 'a/b/c' }), 'k', big)).status).toBe(204);
  const declared = await job.v1('caches', {
    method: 'POST',
    body: JSON.stringify({ key: 'd', version: 'v', cacheSize: 9 * 1024 * 1024 }),
  });
  expect(declared.status).toBe(413);
});

function list(ids: readonly string[]): string {
  return `<BlockList>${ids.map((id) => `<Latest>${id}</Latest>`).join('')}</BlockList>`;
}

it('puts blocks together in the order that their list says', async () => {
  const job = opened.job();
  const { signed_upload_url: link = '' } = (await (
    await job.v2('CreateCacheEntry', { key: 'k', version: 'v' })
  ).json()) as Record<string, string>;
  const put = (query: string, body: string): Promise<Response> => fetch(link + query, { method: 'PUT', body });
  for (const [id, body] of [
    ['Yw==', 'third'],
    ['YQ==', 'wrong'],
    ['YQ==', 'first'],
    ['Yg==', 'second'],
    ['WA==', 'unused'],
  ] as const)
    expect((await put(`&comp=block&blockid=${encodeURIComponent(id)}`, body)).status).toBe(201);
  expect((await put('&comp=blocklist', list(['YQ==', 'bm9uZQ==']))).status).toBe(400);
  expect((await put('&comp=blocklist', list(['YQ==', 'Yg==', 'Yw==']))).status).toBe(201);
  const wrong = await job.v2('FinalizeCacheEntryUpload', { key: 'k', version: 'v', size_bytes: '15' });
  expect(wrong.status).toBe(400);
  expect(
    await (await job.v2('FinalizeCacheEntryUpload', { key: 'k', version: 'v', size_bytes: '16' })).json(),
  ).toStrictEqual({
    ok: true,
    entry_id: '1',
  });
  const { signed_download_url: from = '' } = (await (
    await job.v2('GetCacheEntryDownloadURL', { key: 'k', version: 'v' })
  ).json()) as Record<string, string>;
  const read = async (headers: Record<string, string>): Promise<readonly [number, string]> => {
    const answer = await fetch(from, { headers });
    return [answer.status, await answer.text()];
  };
  expect(await read({})).toStrictEqual([200, 'firstsecondthird']);
  expect(await read({ 'x-ms-range': 'bytes=3-12' })).toStrictEqual([206, 'stsecondth']);
  expect(await read({ range: 'bytes=-5' })).toStrictEqual([206, 'third']);
  expect((await read({ range: 'bytes=16-' }))[0]).toBe(416);
  const head = await fetch(from, { method: 'HEAD' });
  expect([head.status, head.headers.get('content-length')]).toStrictEqual([200, '16']);
});

it.each([
  ['GET', '/'],
  ['GET', '/x/y/z'],
  ['POST', 'caches', 'not JSON'],
  ['POST', 'caches', 'null'],
  ['POST', 'caches', '{"key":1,"version":{}}'],
  ['POST', 'caches', JSON.stringify({ key: 'a,b', version: 'v' })],
  ['POST', 'caches', JSON.stringify({ key: 'k'.repeat(513), version: 'v' })],
  ['POST', 'caches', JSON.stringify({ key: '\u0000', version: 'v' })],
  ['POST', 'caches', JSON.stringify({ key: '\ud800', version: 'v' })],
  ['POST', 'caches', JSON.stringify({ key: 'k', version: '' })],
  ['POST', 'caches', JSON.stringify({ key: 'k', version: 'v', cacheSize: -1 })],
  ['POST', 'caches', 'x'.repeat(100_000)],
  ['POST', 'caches/1e3', '{"size":1}'],
  ['POST', 'caches/-1', '{"size":1}'],
  ['POST', 'caches/1;DROP TABLE entries', '{"size":1}'],
  ['POST', 'caches/99999999999999999999', '{"size":1}'],
  ['GET', 'artifacts/..%2f..%2findex.db'],
  ['GET', 'artifacts/NaN'],
  ['GET', 'cache?keys=%25&version='],
  ['GET', `cache?keys=${'a,'.repeat(40)}&version=v`],
  ['DELETE', 'caches/1'],
  ['POST', 'clean'],
])('outlives %s %.60s %.60s', async (...[method, path, body]) => {
  const job = opened.job();
  const init = { method, ...(body === undefined ? {} : { body }) };
  const answer = path.startsWith('/') ? await fetch(opened.origin + path, init) : await job.v1(path, init);
  expect(answer.status).toBeLessThan(500);
  await saveV1(job, 'k', 'alive');
  expect(await restoreV1(job, ['k'])).toBe('alive');
  expect(opened.logged.filter(({ level }) => level === 'error')).toStrictEqual([]);
});

it('outlives bytes that are no request', async () => {
  const { hostname, port } = new URL(opened.origin);
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.uint8Array(),
        fc.string().map((text) => Buffer.from(`GET ${text} HTTP/1.1\r\n\r\n`)),
      ),
      async (bytes) => {
        const socket = connect(Number(port), hostname);
        socket.on('error', () => {});
        socket.end(bytes);
        socket.resume();
        await once(socket, 'close');
      },
    ),
    { numRuns: 50 },
  );
  expect((await fetch(opened.origin)).status).toBe(200);
});

it('finds keys with signs that patterns know, as they are', async () => {
  const job = opened.job();
  for (const key of ['100%', '100_', 'a*b', "it's", '日本', 'A-B']) await saveV1(job, key, key);
  expect(await restoreV1(job, ['100%'])).toBe('100%');
  expect(await restoreV1(job, ['a%'])).toBeUndefined();
  expect(await restoreV1(job, ['_00'])).toBeUndefined();
  expect(await restoreV1(job, ["it's"])).toBe("it's");
  expect(await restoreV1(job, ['日'])).toBe('日本');
  expect(await restoreV1(job, ['a-b'])).toBe('A-B');
});
