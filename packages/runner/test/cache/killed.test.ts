import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { callContext, openTempFolder } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';
import { openCache } from '../../src/cache/open-cache.ts';
import { narrowLimits, wideLimits } from './open-test-cache.ts';

const rounds = process.env['FORGEJO_RUNNER_NIGHTLY'] === undefined ? 8 : 100;
const contentBytes = 400_000;

interface Running extends AsyncDisposable {
  readonly child: ChildProcess;
  readonly url: string;
}

async function start(folder: string): Promise<Running> {
  const file = new URL('cache-child.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, ['--conditions=@forgejo-runner/source', file, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout });
  const [url] = (await once(lines, 'line')) as [string];
  return {
    child,
    url,
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'close');
    },
  };
}

/** What an entry with this key has in it, and nothing else. */
function contentOf(key: string): Buffer {
  const seed = createHash('sha256').update(key).digest();
  return Buffer.alloc(contentBytes, seed);
}

/** Saves in three chunks, the last one first. Rejects or is false where the server dies in between. */
async function save(url: string, key: string): Promise<boolean> {
  const content = contentOf(key);
  const reserved = await fetch(`${url}caches`, { method: 'POST', body: JSON.stringify({ key, version: 'v' }) });
  const { cacheId } = (await reserved.json()) as { cacheId: number };
  for (const part of [2, 0, 1]) {
    const [from, to] = [Math.floor((content.length * part) / 3), Math.floor((content.length * (part + 1)) / 3)];
    await fetch(`${url}caches/${cacheId}`, {
      method: 'PATCH',
      body: content.subarray(from, to),
      headers: { 'content-range': `bytes ${from}-${to - 1}/*` },
    });
  }
  const done = await fetch(`${url}caches/${cacheId}`, {
    method: 'POST',
    body: JSON.stringify({ size: content.length }),
  });
  return done.ok;
}

it('has every entry whole, and all that it confirmed last, after being killed at any moment', async () => {
  await using folder = await openTempFolder();
  let number = 0;
  for (let round = 0; round < rounds; round += 1) {
    await using running = await start(folder.path);
    const confirmed: string[] = [];
    const saver = async (): Promise<void> => {
      while (running.child.signalCode === null) {
        const key = `k${(number += 1)}`;
        if (await save(running.url, key).catch(() => false)) confirmed.push(key);
      }
    };
    const savers = [saver(), saver(), saver()];
    const killer = setTimeout(() => running.child.kill('SIGKILL'), 20 + Math.random() * 400);
    await Promise.all(savers);
    clearTimeout(killer);
    await check(folder.path, confirmed);
  }
  expect(number).toBeGreaterThan(rounds);
});

async function check(folder: string, confirmed: readonly string[]): Promise<void> {
  await using cache = await openCache({ folder, limits: wideLimits, log: callContext().log });
  const access = { job: 'checker', repository: 'r', read: [''], write: '' };
  const found = new Set<string>();
  for await (const { id, key } of cache.store.list()) {
    found.add(key);
    await using content = await cache.open(access, id);
    const whole = Buffer.concat(
      await Array.fromAsync(await content.read({ start: 0, end: content.size }), (chunk) => Buffer.from(chunk)),
    );
    expect(whole.equals(contentOf(key)), `the content of ${key}`).toBe(true);
  }
  const last = confirmed.slice(-3);
  expect(last.filter((key) => !found.has(key))).toStrictEqual([]);
  expect(await keysAfterEviction(folder)).toSatisfy((kept: readonly string[]) => {
    return kept.length <= 7 && last.every((key) => kept.includes(key));
  });
}

/** How many there are right after a kill depends on how far an eviction had come; the next one makes it right. */
async function keysAfterEviction(folder: string): Promise<readonly string[]> {
  await using cache = await openCache({ folder, limits: narrowLimits, log: callContext().log });
  await cache.evict();
  const keys: string[] = [];
  for await (const { key } of cache.store.list()) keys.push(key);
  return keys;
}

it('removes in the end what killed processes left', async () => {
  await using folder = await openTempFolder();
  await using running = await start(folder.path);
  const reserved = await fetch(`${running.url}caches`, {
    method: 'POST',
    body: JSON.stringify({ key: 'k', version: 'v' }),
  });
  expect(reserved.status).toBe(200);
  running.child.kill('SIGKILL');
  await once(running.child, 'close');
  await folder.write({ 'uploads/4711': 'unknown', 'entries/aa/4711': 'unknown' });
  await using cache = await openCache({ folder: folder.path, limits: wideLimits, log: callContext().log });
  await cache.evict();
  // They might be of a process that lives.
  expect(await readdir(folder.join('uploads'))).toHaveLength(2);
  const inTwoHours = Date.now() + 2 * 3_600_000;
  expect(await cache.uploads.sweep(inTwoHours)).toBe(2);
  expect(await readdir(folder.join('uploads'))).toStrictEqual([]);
});
