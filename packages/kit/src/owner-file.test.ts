import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type OwnerFile, ownerFileName, readOwnerFile, writeOwnerFile } from './owner-file.ts';

let folder = '';
const content: OwnerFile = {
  version: 1,
  name: 'job-1',
  owner: { runner: 'r', boot: 'b' },
  process: { host: 'h', machineBoot: 'm', pidNamespace: 'n', pid: 7, started: 's' },
  marker: 'ab'.repeat(16),
  expiresAt: 5,
};

beforeEach(async () => {
  folder = path.join(await mkdtemp(path.join(tmpdir(), 'owner-')), 'job-1');
  await mkdir(folder);
});
afterEach(() => rm(path.dirname(folder), { recursive: true, force: true }));

it('writes what it reads, for nobody else to read', async () => {
  await writeOwnerFile(folder, content);
  expect(await readOwnerFile(folder)).toEqual(content);
  expect((await stat(path.join(folder, ownerFileName))).mode & 0o777).toBe(0o600);
});

it('never writes over one that is there', async () => {
  await writeOwnerFile(folder, content);
  await expect(writeOwnerFile(folder, { ...content, marker: 'cd'.repeat(16) })).rejects.toThrow('EEXIST');
  expect(JSON.parse(await readFile(path.join(folder, ownerFileName), 'utf8'))).toEqual(content);
});

it.each<[string, string]>([
  ['nothing', ''],
  ['no JSON', '{'],
  ['null', 'null'],
  ['another version', JSON.stringify({ ...content, version: 2 })],
  ['another name', JSON.stringify({ ...content, name: 'job-2' })],
  ['a name that climbs', JSON.stringify({ ...content, name: '../job-1' })],
  ['a marker that is none', JSON.stringify({ ...content, marker: 'PATH=' })],
  ['no process', JSON.stringify({ ...content, process: { ...content.process, pid: -1 } })],
  ['no owner', JSON.stringify({ ...content, owner: { runner: '', boot: '' } })],
  ['too much', JSON.stringify({ ...content, more: 'x'.repeat(20_000) })],
])('does not take %s for an owner file', async (_, text) => {
  await writeFile(path.join(folder, ownerFileName), text);
  expect(await readOwnerFile(folder)).toBeUndefined();
});

it('finds none where none is', async () => {
  expect(await readOwnerFile(folder)).toBeUndefined();
  expect(await readOwnerFile(path.join(folder, 'missing'))).toBeUndefined();
});
