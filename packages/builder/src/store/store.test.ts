import { readdir, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { openTempFolder } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';
import { acquireLock, defaultCacheDir, keyOf, openStore } from './store.ts';

const signal = new AbortController().signal;
// No process has this id: it is above the largest that Linux gives.
const deadPid = 99_999_999;

it('makes a folder once for builders that need it at the same time', async () => {
  await using folder = await openTempFolder();
  const store = openStore(folder.path);
  let made = 0;
  const make = async (dir: string): Promise<void> => {
    made += 1;
    await writeFile(path.join(dir, 'content'), 'x');
  };
  const dirs = await Promise.all([1, 2, 3].map(() => store.folder('trees', 'key', make, signal)));
  expect(made).toBe(1);
  expect(new Set(dirs)).toEqual(new Set([folder.join('trees/key')]));
  expect(await readdir(folder.join('trees'))).toEqual(['key']);
});

it('leaves nothing of a folder that could not be made, and makes it the next time', async () => {
  await using folder = await openTempFolder();
  const store = openStore(folder.path);
  const failing = store.folder('trees', 'key', () => Promise.reject(new Error('half way')), signal);
  await expect(failing).rejects.toThrow('half way');
  expect(await readdir(folder.join('trees'))).toEqual([]);
  expect(await store.findFolder('trees', 'key')).toBeUndefined();
  expect(await store.folder('trees', 'key', () => Promise.resolve(), signal)).toBe(folder.join('trees/key'));
});

it('gives values back, and takes a damaged one for missing', async () => {
  await using folder = await openTempFolder();
  const store = openStore(folder.path);
  await store.writeJson('checks', 'key', { a: [1] });
  expect(await store.readJson('checks', 'key')).toEqual({ a: [1] });
  await writeFile(folder.join('checks/key.json'), '{"a":');
  expect(await store.readJson('checks', 'key')).toBeUndefined();
  expect(await store.readJson('checks', 'other')).toBeUndefined();
});

it('takes over the lock of a builder that died', async () => {
  await using folder = await openTempFolder();
  const file = folder.join('x.lock');
  await writeFile(file, JSON.stringify({ pid: deadPid, host: hostname() }));
  await using _lock = await acquireLock(file, signal);
  expect(await readdir(folder.path)).toEqual(['x.lock']);
});

it.each([
  ['a builder that runs', { pid: process.pid, host: hostname() }],
  ['a builder on another machine', { pid: deadPid, host: 'another-machine' }],
])('waits for the lock of %s until it is told to stop', async (_, holder) => {
  await using folder = await openTempFolder();
  const file = folder.join('x.lock');
  await writeFile(file, JSON.stringify(holder));
  const stop = new AbortController();
  const waiting = acquireLock(file, stop.signal);
  stop.abort(new Error('stopped'));
  await expect(waiting).rejects.toThrow('aborted');
  expect(await readdir(folder.path)).toEqual(['x.lock']);
});

it('makes equal keys of equal values only', () => {
  expect(keyOf('a', { b: 1 })).toBe(keyOf('a', { b: 1 }));
  expect(keyOf('a', 'b')).not.toBe(keyOf('ab'));
  expect(keyOf(['a'], 'b')).not.toBe(keyOf(['a', 'b']));
});

it('lies where the variable says, else where the platform keeps caches', () => {
  expect(defaultCacheDir({ FORGEJO_RUNNER_BUILD_CACHE: '/x/y' })).toBe('/x/y');
  const elsewhere = defaultCacheDir({ XDG_CACHE_HOME: '/xdg', LOCALAPPDATA: '/local' });
  expect(path.basename(elsewhere)).toBe('forgejo-runner-build');
});
