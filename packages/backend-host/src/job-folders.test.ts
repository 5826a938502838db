import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isBackendError } from '@forgejo-runner/core';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { defaultWorkdirParent, listDrafts, listJobFolders, makeJobFolders } from './job-folders.ts';
import { type OwnerFile, ownerFileName, readOwnerFile } from './owner-file.ts';

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
  expect(await readOwnerFile(folders.root)).toEqual(content);
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

it('refuses a name that is taken and leaves the other one alone', async () => {
  await makeJobFolders(parent, content);
  expect(await failure(makeJobFolders(parent, { ...content, marker: 'cd'.repeat(16) }))).toEqual([
    'plan',
    'expected a name that is free, found an environment "job-1" already',
  ]);
  expect((await readOwnerFile(path.join(parent, 'job-1')))?.marker).toBe(content.marker);
  expect((await readdir(parent)).toSorted()).toEqual(['job-1', 'tool_cache']);
});

it.each(['', '../x', 'tool_cache', 'A', '-a', 'a'.repeat(41), 'a/b', '.'])('refuses the name %j', async (name) => {
  expect(await failure(makeJobFolders(parent, { ...content, name }))).toEqual([
    'plan',
    expect.stringContaining('expected a name of at most 40 characters'),
  ]);
});

it('blames the machine when the folder cannot be made', async () => {
  await mkdir(path.dirname(parent), { recursive: true });
  await writeFile(parent, 'a file in the way');
  expect(await failure(makeJobFolders(parent, content))).toEqual(['unavailable', expect.stringContaining(parent)]);
});

it('finds folders that were begun by processes of this runner, and no others', async () => {
  const { draftNames } = await begunBy(['runner-1', 'runner-2']);
  await mkdir(path.join(parent, '.making.other'));
  const drafts = await listDrafts(parent, owner);
  expect(drafts).toEqual([{ folder: path.join(parent, draftNames[0] ?? ''), pid: 7, started: 'Tue Nov 4' }]);
  expect(await listDrafts(path.join(parent, 'missing'), owner)).toEqual([]);
});

/** Begins folders and breaks off, as a crash would: the name that they would get is a folder with something in it. */
async function begunBy(runners: readonly string[]): Promise<{ readonly draftNames: string[] }> {
  const draftNames: string[] = [];
  for (const runner of runners) {
    const seen = new Set(await readdir(parent).catch(() => []));
    const making = makeJobFolders(parent, { ...content, owner: { ...owner, runner } });
    await expect
      .poll(
        async () => {
          const found = (await readdir(parent).catch(() => [])).find(
            (name) => name.startsWith('.making.') && !seen.has(name),
          );
          if (found !== undefined) draftNames.push(found);
          return found !== undefined;
        },
        { interval: 0 },
      )
      .toBe(true);
    await making.catch(() => {});
    await rm(path.join(parent, 'job-1'), { recursive: true });
    await mkdir(path.join(parent, draftNames.at(-1) ?? ''));
  }
  return { draftNames };
}

it('lists folders that could be environments', async () => {
  for (const name of ['job-1', 'job-2', 'tool_cache', '.making.x', 'UPPER', 'a'.repeat(41)]) {
    await mkdir(path.join(parent, name), { recursive: true });
  }
  await writeFile(path.join(parent, 'file'), '');
  const found = await listJobFolders(parent);
  expect(new Set(found)).toEqual(new Set([path.join(parent, 'job-1'), path.join(parent, 'job-2')]));
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
