/**
 * Prints how fast the cache server of the runner takes and gives contents, finds keys and evicts entries. Server and
 * client are processes of their own, so that the memory is the server's.
 *
 *     node --conditions=@forgejo-runner/source bench/cache.ts
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { openCacheServer } from '../packages/runner/src/cache/cache-server.ts';
import { openCache } from '../packages/runner/src/cache/open-cache.ts';

const mebibyte = 1024 * 1024;
const chunkBytes = 32 * mebibyte;
const totalBytes = 1024 * mebibyte;
const quiet = { debug: () => {}, info: () => {}, warn: console.error, error: console.error };
const access = { job: 'bench', repository: 'r0', read: [''], write: '' };

const [role, folder = ''] = process.argv.slice(2);
if (role === 'server') await serve(folder);
else await measure();

async function serve(place: string): Promise<void> {
  const limits = { maxBytes: 2 ** 50, maxRepositoryBytes: 2 ** 50, maxUnusedMs: 2 ** 40, maxAgeMs: 2 ** 40 };
  const cache = await openCache({ folder: place, limits, log: quiet });
  const server = openCacheServer({ cache: async () => cache, log: quiet, port: 0 });
  const { port } = await server.listeners.listen('127.0.0.1');
  const { token } = server.keys.add({ access });
  process.on('message', () => process.send?.({ megabytes: process.resourceUsage().maxRSS / 1024 }));
  process.send?.({ url: `http://127.0.0.1:${port}/${token}/_apis/artifactcache/` });
}

async function measure(): Promise<void> {
  const place = mkdtempSync(join(tmpdir(), 'bench-cache-'));
  const child = fork(import.meta.filename, ['server', place], { execArgv: process.execArgv });
  try {
    const [{ url }] = (await once(child, 'message')) as [{ url: string }];
    await contents(url, child);
    child.kill();
    await once(child, 'close');
    await keys(join(place, 'index'));
  } finally {
    child.kill();
    rmSync(place, { recursive: true });
  }
}

async function contents(url: string, child: ReturnType<typeof fork>): Promise<void> {
  const idle = await memory(child);
  const post = async (path: string, body: object): Promise<Response> =>
    fetch(url + path, { method: 'POST', body: JSON.stringify(body) });
  const { cacheId } = (await (await post('caches', { key: 'big', version: 'v' })).json()) as { cacheId: number };
  const chunk = Buffer.alloc(chunkBytes, 'content');
  let from = performance.now();
  const offsets = Array.from({ length: totalBytes / chunkBytes }, (_, index) => index * chunkBytes);
  await Promise.all(
    [0, 1, 2, 3].map(async () => {
      for (let start = offsets.shift(); start !== undefined; start = offsets.shift())
        await send(`${url}caches/${cacheId}`, start, chunk);
    }),
  );
  await post(`caches/${cacheId}`, { size: totalBytes });
  print('upload of 1 GiB, 4 at a time, on the disk', `${rate(totalBytes, from)} MB/s`);
  const found = (await (await fetch(`${url}cache?keys=big&version=v`)).json()) as { archiveLocation: string };
  from = performance.now();
  await drain(found.archiveLocation);
  print('download of 1 GiB', `${rate(totalBytes, from)} MB/s`);
  const last = 20 * mebibyte;
  from = performance.now();
  await Promise.all(Array.from({ length: 50 }, () => drain(found.archiveLocation, `bytes=0-${last - 1}`)));
  print('50 jobs restoring 20 MiB each at once', `${rate(50 * last, from)} MB/s`);
  print('memory of the server, idle and at most', `${idle.toFixed(0)} and ${(await memory(child)).toFixed(0)} MB`);
}

/** In this process: 100,000 entries of 100 repositories; each look-up is a miss on its first key and a prefix. */
async function keys(place: string): Promise<void> {
  const limits = { maxBytes: 90_000, maxRepositoryBytes: 2 ** 50, maxUnusedMs: 2 ** 40, maxAgeMs: 2 ** 40 };
  await using cache = await openCache({ folder: place, limits, log: quiet });
  const database = new DatabaseSync(join(place, 'index.db'));
  database.exec('BEGIN');
  const insert = database.prepare("INSERT INTO entries VALUES (?, ?, '', 'v', ?, ?, 1, 1, '[[0,1]]', ?, ?)");
  for (let id = 0; id < 100_000; id += 1) {
    const key = `linux-node-${Math.floor(id / 1000)}-${id}`;
    insert.run(id, `r${id % 100}`, key, key, Date.now(), Date.now());
  }
  database.exec('COMMIT');
  database.close();
  const count = 50_000;
  let from = performance.now();
  for (let look = 0; look < count; look += 1) {
    const one = { ...access, repository: `r${look % 100}` };
    await cache.find(one, 'v', ['linux-node-none', `linux-node-${look % 100}-`]);
  }
  print(
    'look-ups with 100,000 entries',
    `${Math.round((count / (performance.now() - from)) * 1000).toLocaleString('en')} a second`,
  );
  from = performance.now();
  let longest = 0;
  let last = from;
  const beat = setInterval(() => {
    longest = Math.max(longest, performance.now() - last - 1);
    last = performance.now();
  }, 1);
  const { entries } = await cache.evict();
  clearInterval(beat);
  const ms = performance.now() - from;
  print(
    `evicting ${entries.toLocaleString('en')} entries`,
    `${ms.toFixed(0)} ms, requests wait ${longest.toFixed(0)} ms at most`,
  );
}

async function send(url: string, start: number, chunk: Buffer): Promise<void> {
  const range = `bytes ${start}-${start + chunk.length - 1}/*`;
  const sending = request(url, {
    method: 'PATCH',
    headers: { 'content-range': range, 'content-length': chunk.length },
  });
  sending.end(chunk);
  const [answer] = (await once(sending, 'response')) as [NodeJS.ReadableStream];
  answer.resume();
  await once(answer, 'end');
}

async function drain(url: string, range?: string): Promise<void> {
  const asking = request(url, range === undefined ? {} : { headers: { range } });
  asking.end();
  const [answer] = (await once(asking, 'response')) as [NodeJS.ReadableStream];
  answer.resume();
  await once(answer, 'end');
}

async function memory(child: ReturnType<typeof fork>): Promise<number> {
  child.send('memory');
  const [{ megabytes }] = (await once(child, 'message')) as [{ megabytes: number }];
  return megabytes;
}

function rate(bytes: number, from: number): string {
  return (bytes / 1e6 / ((performance.now() - from) / 1000)).toFixed(0);
}

function print(what: string, figure: string): void {
  console.log(`${what.padEnd(44)} ${figure}`);
}
