import { readFile } from 'node:fs/promises';
import { openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readRunnerFile, writeRunnerFile } from './runner-file.ts';

let temp: TempFolder;
beforeEach(async () => {
  temp = await openTempFolder();
});
afterEach(() => temp[Symbol.asyncDispose]());

const file = {
  id: 3,
  uuid: '0a1b2c3d-0000-4000-8000-0123456789ab',
  name: 'mine',
  token: 'abc',
  address: 'https://forgejo.example',
  labels: ['docker:docker://node:22', 'shell:host'],
};

it('writes what it reads, in the form of the Go runner', async () => {
  const path = temp.join('.runner');
  await writeRunnerFile(path, file, temp.path);
  expect(await readRunnerFile(path, temp.path)).toEqual(file);
  const written = await readFile(path, 'utf8');
  expect(Object.keys(JSON.parse(written) as object)).toEqual([
    'WARNING',
    'id',
    'uuid',
    'name',
    'token',
    'address',
    'labels',
  ]);
  expect(written).toMatch(/\n\}\n$/);
});

it('takes labels that are null, and keys that it does not know', async () => {
  await temp.write({ '.runner': JSON.stringify({ ...file, labels: null, ephemeral: false }) });
  expect(await readRunnerFile(temp.join('.runner'), temp.path)).toEqual({ ...file, labels: [] });
  expect(await readRunnerFile(temp.join('other'), temp.path)).toBeUndefined();
});

it.each([
  ['no JSON', '{', 'no JSON object'],
  ['a list', '[]', 'no JSON object'],
  ['a wrong uuid', JSON.stringify({ ...file, uuid: '../x' }), 'wrong uuid'],
  ['nothing of use', '{}', 'wrong uuid, token, address'],
])('refuses %s', async (_, text, found) => {
  await temp.write({ '.runner': text });
  const error = await readRunnerFile(temp.join('.runner'), temp.path).catch((error: unknown) => String(error));
  expect(error).toContain(found);
  expect(error).not.toContain('abc');
});
