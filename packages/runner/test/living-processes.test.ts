import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { giveLifeSign, isAlive } from '../src/report/living-processes.ts';

const child = fileURLToPath(new URL('life-child.ts', import.meta.url));

let temp: TempFolder;
beforeEach(async () => {
  temp = await openTempFolder();
});
afterEach(() => temp[Symbol.asyncDispose]());

it('knows this process as alive until it says otherwise', async () => {
  const folder = temp.join('alive');
  expect(await isAlive(folder, 'one')).toBe(false);
  const sign = await giveLifeSign(folder, 'one');
  expect(await isAlive(folder, 'one')).toBe(true);
  expect(await isAlive(folder, 'two')).toBe(false);
  await expect(giveLifeSign(folder, 'one')).rejects.toThrow('one that is alive');
  await sign[Symbol.asyncDispose]();
  expect(await isAlive(folder, 'one')).toBe(false);
  expect(await readdir(folder)).toEqual([]);
});

it('knows another process as alive until it is killed', async () => {
  const started = spawn(process.execPath, ['--conditions=@forgejo-runner/source', child, temp.path, 'other'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await once(started.stdout, 'data');
    expect(await isAlive(temp.path, 'other')).toBe(true);
    // Looking does not end it.
    expect(await isAlive(temp.path, 'other')).toBe(true);
  } finally {
    started.kill('SIGKILL');
  }
  await once(started, 'exit');
  expect(await isAlive(temp.path, 'other')).toBe(false);
  expect(await readdir(temp.path)).toEqual([]);
});

it('takes no name that leads elsewhere', async () => {
  await expect(isAlive(temp.path, '../x')).rejects.toThrow('expected the id of a start');
});
