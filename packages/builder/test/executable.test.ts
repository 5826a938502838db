import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  fixture,
  listBackends,
  openWorkplace,
  runBuilt,
  untilEnd,
  type Workplace,
  withFixtureRunner,
} from './run-builder.ts';
import { spawn } from 'node:child_process';

let cache: TempFolder;
let workplace: Workplace;
let output: string;

beforeAll(async () => {
  cache = await openTempFolder();
  workplace = await openWorkplace({ cacheDir: cache.path });
  output = workplace.project.join('runner');
});
afterAll(async () => {
  await workplace[Symbol.asyncDispose]();
  await cache[Symbol.asyncDispose]();
});

async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

it('makes one file that needs neither Node nor environment', async () => {
  const { code, stderr } = await workplace.build(
    ...withFixtureRunner,
    '--with',
    fixture('good'),
    '--sea',
    '--output',
    output,
  );
  expect(stderr).toContain('cjs, Node 26');
  expect(code).toBe(0);
  expect(await listBackends(output)).toEqual(['good']);
  expect((await runBuilt(output, 'lazy')).stdout).toBe('loaded on demand\n');
});

it('makes the same bytes in another folder, and none of its places is in them', async () => {
  await using other = await openWorkplace({ cacheDir: cache.path });
  const second = other.project.join('elsewhere');
  await other.build(...withFixtureRunner, '--with', fixture('good'), '--sea', '--output', second);
  expect(await hashOf(second)).toBe(await hashOf(output));
  const bytes = await readFile(second);
  for (const place of [cache.path, other.project.path, fixture('good')]) expect(bytes.includes(place)).toBe(false);
});

it('keeps modules where something needs them', async () => {
  const { stderr } = await workplace.build(
    ...withFixtureRunner,
    '--with',
    fixture('top-level-await'),
    '--sea',
    '--output',
    output,
  );
  expect(stderr).toContain('esm, Node 26');
  expect(await listBackends(output)).toEqual(['tla']);
});

it('lets nobody reach into it by NODE_OPTIONS', async () => {
  await using folder = await openTempFolder();
  await folder.write({ 'intruder.cjs': 'console.log("intruder")' });
  const child = spawn(output, ['--version'], {
    env: { NODE_OPTIONS: `--require ${folder.join('intruder.cjs')}` },
    stdio: 'pipe',
  });
  expect(await untilEnd(child)).toEqual({ code: 0, stdout: '1.0.0\n', stderr: '' });
});
