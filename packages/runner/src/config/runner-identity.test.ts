import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readRunnerIdentity } from './runner-identity.ts';

let folder: string;
let stateDir: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'identity-'));
  stateDir = join(folder, 'a', 'state');
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

it('is the same at every start, and private', async () => {
  const first = await readRunnerIdentity(stateDir);
  expect(await readRunnerIdentity(stateDir)).toEqual(first);
  expect(first.runner).not.toBe(first.boot);
  expect(await readdir(stateDir)).toEqual(['runner-id']);
  expect(await readFile(join(stateDir, 'runner-id'), 'utf8')).toBe(`${first.runner}\n`);
  expect((await stat(join(stateDir, 'runner-id'))).mode & 0o777).toBe(0o600);
  expect((await stat(stateDir)).mode & 0o777).toBe(0o700);
});

it('closes a folder that others could look into', async () => {
  await chmod(folder, 0o755);
  await readRunnerIdentity(folder);
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
});

it('is one for those who start at once', async () => {
  const owners = await Promise.all([1, 2, 3].map(() => readRunnerIdentity(stateDir)));
  expect(new Set(owners.map((owner) => owner.runner)).size).toBe(1);
});

it('refuses a file that holds something else, and a folder that is none', async () => {
  await readRunnerIdentity(stateDir);
  await writeFile(join(stateDir, 'runner-id'), 'x');
  await expect(readRunnerIdentity(stateDir)).rejects.toThrow(
    `expected the UUID of the runner in ${JSON.stringify(join(stateDir, 'runner-id'))}, found something else`,
  );
  await writeFile(join(folder, 'file'), '');
  await expect(readRunnerIdentity(join(folder, 'file'))).rejects.toThrow(
    expect.objectContaining({
      code: 'FRR102',
      message: `expected a folder for the state of the runner at ${JSON.stringify(join(folder, 'file'))}, found EEXIST`,
    }),
  );
});
