import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { RequestKey } from './request-key.ts';

async function keyFile(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'request-key-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  return join(folder, 'key');
}

it('stays the same until the question is answered', async () => {
  const key = new RequestKey();
  const first = await key.current();
  expect(await key.current()).toBe(first);
  await key.answered();
  expect(await key.current()).not.toBe(first);
});

it('survives the process that asked', async () => {
  const path = await keyFile();
  const first = await new RequestKey(path).current();
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  const next = new RequestKey(path);
  expect(await next.current()).toBe(first);
  await next.answered();
  expect(await readdir(join(path, '..'))).toEqual([]);
  expect(await new RequestKey(path).current()).not.toBe(first);
});

it.each(['', 'x', 'a'.repeat(36), '../../etc/passwd'])('makes a new key where the file has %j', async (text) => {
  const path = await keyFile();
  await writeFile(path, text);
  const key = await new RequestKey(path).current();
  expect(key).toMatch(/^[\da-f]{8}-/);
  expect(await readFile(path, 'utf8')).toBe(key);
});
