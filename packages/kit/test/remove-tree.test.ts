import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { removeTree } from '../src/remove-tree.ts';

const run = promisify(execFile);
const isRoot = process.getuid?.() === 0;
const nobody = 65_534;
let folder = '';
let tree = '';

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'remove-'));
  tree = path.join(folder, 'tree');
  await mkdir(path.join(tree, 'a', 'b'), { recursive: true });
  await writeFile(path.join(tree, 'a', 'b', 'file'), 'x');
  await writeFile(path.join(tree, 'owner'), 'x');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function asNobody<T>(work: () => Promise<T>): Promise<T> {
  await chmod(folder, 0o777);
  process.seteuid?.(nobody);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
  }
}

async function giveTo(uid: number): Promise<void> {
  for (const at of ['', 'a', 'a/b', 'a/b/file', 'owner']) await chown(path.join(tree, at), uid, uid);
}

it('removes a tree, and one that is not there', async () => {
  expect(await removeTree(tree, 'owner')).toEqual({ isRemoved: true });
  expect(await readdir(folder)).toEqual([]);
  expect(await removeTree(tree, 'owner')).toEqual({ isRemoved: true });
});

it.runIf(isRoot)('removes what a user made read-only, as that user', async () => {
  await giveTo(nobody);
  await chmod(path.join(tree, 'a', 'b', 'file'), 0o400);
  await chmod(path.join(tree, 'a', 'b'), 0o500);
  await chmod(path.join(tree, 'a'), 0);
  await chmod(tree, 0o500);
  expect(await asNobody(() => removeTree(tree, 'owner'))).toEqual({ isRemoved: true });
  expect(await readdir(folder)).toEqual([]);
});

it.runIf(isRoot)('says what it cannot remove, and leaves the owner file for the next time', async () => {
  await giveTo(nobody);
  await chown(path.join(tree, 'a', 'b'), 0, 0);
  const report = await asNobody(() => removeTree(tree, 'owner'));
  expect(report).toEqual({
    isRemoved: false,
    error: expect.stringMatching(/(?:EACCES|EPERM).*have to be removed as root/),
  });
  expect(await readdir(tree)).toContain('owner');
  expect(await removeTree(tree, 'owner')).toEqual({ isRemoved: true });
});

it.runIf(isRoot)('removes what belongs to others, as root', async () => {
  await giveTo(4242);
  expect(await removeTree(tree, 'owner')).toEqual({ isRemoved: true });
});

it.runIf(isRoot)('removes what is marked as immutable', async ({ skip }) => {
  try {
    await run('chattr', ['+i', path.join(tree, 'a', 'b', 'file')]);
  } catch {
    skip('this file system or machine has no such mark');
  }
  expect(await removeTree(tree, 'owner')).toEqual({ isRemoved: true });
});

it.runIf(isRoot)('takes a mount away instead of emptying what is behind it', async ({ skip }) => {
  const outside = path.join(folder, 'outside');
  await mkdir(outside);
  await writeFile(path.join(outside, 'kept'), 'x');
  try {
    await run('mount', ['--bind', outside, path.join(tree, 'a', 'b')]);
  } catch {
    skip('this machine does not let us mount');
  }
  expect(await removeTree(tree, 'owner')).toEqual({ isRemoved: true });
  expect([await readdir(outside), await readdir(folder)]).toEqual([['kept'], ['outside']]);
});
