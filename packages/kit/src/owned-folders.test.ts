import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { isBackendError } from '@forgejo-runner/core';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { folderUnavailable, listDrafts, listOwnedFolders, makeOwnedFolder } from './owned-folders.ts';
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
  parent = await mkdtemp(path.join(tmpdir(), 'folders ü '));
});
afterEach(() => rm(parent, { recursive: true, force: true }));

const layNothing = async (): Promise<void> => {};

async function failure(work: Promise<unknown>): Promise<unknown> {
  const error: unknown = await work.then(() => 'nothing thrown').catch((reason: unknown) => reason);
  return isBackendError(error) ? [error.code, error.message] : error;
}

it('gives a folder its name when everything is in it', async () => {
  const seen: string[] = [];
  const root = await makeOwnedFolder(parent, content, async (draft) => {
    await mkdir(path.join(draft, 'inside'));
    seen.push(...(await readdir(parent)));
  });
  expect(root).toBe(path.join(parent, 'job-1'));
  expect(seen).toEqual([expect.stringMatching(/^\.making\./)]);
  expect((await readdir(root)).toSorted()).toEqual([ownerFileName, 'inside']);
  expect((await stat(root)).mode & 0o777).toBe(0o700);
  expect(await readOwnerFile(root)).toEqual(content);
});

it('leaves nothing when it cannot be filled', async () => {
  const full = Object.assign(new Error('full'), { code: 'ENOSPC' });
  const making = makeOwnedFolder(parent, content, async () => Promise.reject(full));
  expect(await failure(making)).toEqual(['unavailable', expect.stringContaining('no space is left')]);
  expect(await readdir(parent)).toEqual([]);
});

it('refuses a name that is taken and leaves the other one alone', async () => {
  await makeOwnedFolder(parent, content, layNothing);
  expect(await failure(makeOwnedFolder(parent, { ...content, marker: 'cd'.repeat(16) }, layNothing))).toEqual([
    'plan',
    'expected a name that is free, found an environment "job-1" already',
  ]);
  expect((await readOwnerFile(path.join(parent, 'job-1')))?.marker).toBe(content.marker);
  expect(await readdir(parent)).toEqual(['job-1']);
});

it.each(['', '../x', 'tool_cache', 'A', '-a', 'a'.repeat(41), 'a/b', '.'])('refuses the name %j', async (name) => {
  expect(await failure(makeOwnedFolder(parent, { ...content, name }, layNothing))).toEqual([
    'plan',
    expect.stringContaining('expected a name of at most 40 characters'),
  ]);
});

it('finds folders that were begun by processes of this runner, and no others', async () => {
  const begun: string[] = [];
  for (const runner of ['runner-1', 'runner-2']) {
    let name = '';
    await makeOwnedFolder(parent, { ...content, name: runner, owner: { ...owner, runner } }, async (draft) => {
      name = path.basename(draft);
    });
    // As a crash leaves it.
    await mkdir(path.join(parent, name));
    begun.push(name);
  }
  await mkdir(path.join(parent, '.making.other'));
  expect(await listDrafts(parent, owner)).toEqual([
    { folder: path.join(parent, begun[0] ?? ''), pid: 7, started: 'Tue Nov 4' },
  ]);
  expect(await listDrafts(path.join(parent, 'missing'), owner)).toEqual([]);
});

it('lists folders that could be environments', async () => {
  for (const name of ['job-1', 'job-2', 'tool_cache', '.making.x', 'UPPER', 'a'.repeat(41)]) {
    await mkdir(path.join(parent, name), { recursive: true });
  }
  await writeFile(path.join(parent, 'file'), '');
  const found = await listOwnedFolders(parent);
  expect(new Set(found)).toEqual(new Set([path.join(parent, 'job-1'), path.join(parent, 'job-2')]));
});

it.each([
  ['ENOTEMPTY', 'plan'],
  ['EEXIST', 'plan'],
  ['ENOSPC', 'unavailable'],
  ['EROFS', 'unavailable'],
  ['EACCES', 'unavailable'],
  ['ENOENT', 'unavailable'],
  ['EWEIRD', 'internal'],
])('translates %s while a folder is made to %s', async (code, expected) => {
  const making = makeOwnedFolder(parent, content, async () => {
    throw Object.assign(new Error(code), { code });
  });
  expect(await failure(making)).toEqual([expected, expect.any(String)]);
});

it('keeps text and cause', () => {
  const cause = Object.assign(new Error('ENOSPC'), { code: 'ENOSPC' });
  const error = folderUnavailable(cause, 'make the folder', '/jobs');
  expect([error.message, error.cause]).toEqual(['cannot make the folder "/jobs": no space is left on the disk', cause]);
});
