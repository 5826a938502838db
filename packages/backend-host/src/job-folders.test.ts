import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isBackendError } from '@forgejo-runner/core';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type OwnerFile, ownerFileName } from '@forgejo-runner/kit';
import { defaultWorkdirParent, makeJobFolders } from './job-folders.ts';

let parent = '';
const owner = { runner: 'runner-1', boot: 'b' };
const content: OwnerFile = {
  version: 1,
  name: 'job-1',
  owner,
  process: { host: 'h', machineBoot: 'm', pidNamespace: 'n', pid: 7, started: 'Tue Nov 4' },
  marker: 'ab'.repeat(16),
  expiresAt: 5,
};

beforeEach(async () => {
  parent = path.join(await mkdtemp(path.join(tmpdir(), 'folders ü ')), 'parent');
});
afterEach(() => rm(path.dirname(parent), { recursive: true, force: true }));

async function failure(work: Promise<unknown>): Promise<unknown> {
  const error: unknown = await work.then(() => 'nothing thrown').catch((reason: unknown) => reason);
  return isBackendError(error) ? [error.code, error.message] : error;
}

it('makes all folders, private, with the owner file', async () => {
  const folders = await makeJobFolders(parent, content);
  for (const folder of Object.values(folders)) expect((await stat(folder)).mode & 0o777).toBe(0o700);
  expect((await readdir(folders.root)).toSorted()).toEqual([
    ownerFileName,
    'home',
    'pipes',
    'runner',
    'temp',
    'workspace',
  ]);
  expect((await readdir(parent)).toSorted()).toEqual(['job-1', 'tool_cache']);
});

it('blames the machine when the folder cannot be made', async () => {
  await mkdir(path.dirname(parent), { recursive: true });
  await writeFile(parent, 'a file in the way');
  expect(await failure(makeJobFolders(parent, content))).toEqual(['unavailable', expect.stringContaining(parent)]);
});

it.each<[NodeJS.ProcessEnv, NodeJS.Platform, string]>([
  [{}, 'linux', '/home/r/.cache/forgejo-runner-host'],
  [{ XDG_CACHE_HOME: '/var/cache' }, 'linux', '/var/cache/forgejo-runner-host'],
  [{ XDG_CACHE_HOME: '' }, 'darwin', '/home/r/.cache/forgejo-runner-host'],
])('defaults to a cache folder (%j, %s)', (env, platform, expected) => {
  expect(defaultWorkdirParent(env, platform, '/home/r')).toBe(expected);
});

it('defaults to a cache folder on Windows', () => {
  expect(defaultWorkdirParent({ LOCALAPPDATA: 'D:\\Local' }, 'win32', 'C:\\Users\\r')).toBe(
    'D:\\Local\\forgejo-runner-host',
  );
  expect(defaultWorkdirParent({}, 'win32', 'C:\\Users\\r')).toBe('C:\\Users\\r\\AppData\\Local\\forgejo-runner-host');
});
