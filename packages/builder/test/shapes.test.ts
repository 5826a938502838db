import { spawnSync } from 'node:child_process';
import { chmod, cp, readFile, stat, writeFile } from 'node:fs/promises';
import { openTempFolder } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import {
  type Ended,
  fixture,
  listBackends,
  openWorkplace,
  runBuilt,
  type Workplace,
  withFixtureRunner,
} from './run-builder.ts';

let workplace: Workplace;
let output: string;

beforeAll(async () => {
  workplace = await openWorkplace();
  output = workplace.project.join('runner.mjs');
});
afterAll(() => workplace[Symbol.asyncDispose]());

function buildWith(name: string, ...flags: readonly string[]): Promise<Ended> {
  return workplace.build(...withFixtureRunner, '--with', fixture(name), '--output', output, ...flags);
}

it.each([
  { name: 'good', ids: ['good'] },
  { name: 'cjs-only', ids: ['cjs'] },
  { name: 'top-level-await', ids: ['tla'] },
  { name: 'subpath', ids: ['sub'] },
  { name: 'typescript', ids: ['ts'] },
  { name: 'node-types', ids: ['node-types'] },
  { name: 'side-effects-false', ids: ['free', 'second'] },
])('builds $name', async ({ name, ids }) => {
  const { code, stderr } = await buildWith(name);
  expect(stderr).not.toContain('⚠');
  expect(code).toBe(0);
  expect(await listBackends(output)).toEqual(ids);
});

it('gives what CommonJS exports by name, also where it is imported lazily, as Node does', async () => {
  await buildWith('lazy-commonjs');
  const { stdout } = await runBuilt(output, 'list-backends', '--json');
  expect(stdout).toContain('"hello, hello names, hello"');
});

it('makes one executable file that says which packages it has', async () => {
  await buildWith('good');
  expect((await stat(output)).mode & 0o777).toBe(0o755);
  expect((await readFile(output, 'utf8')).startsWith('#!/usr/bin/env node\n')).toBe(true);
  const info = JSON.parse((await runBuilt(output, 'build-info')).stdout) as object;
  expect(info).toEqual({
    // Packed: the runner unpacks it for those who ask.
    evidence: expect.stringMatching(/^forgejo-runner-evidence-1:/),
    schema: 1,
    builder: '1.0.0',
    runner: '1.0.0',
    api: '1.0.0',
    node: process.versions.node,
    esbuild: '0.28.2',
    official: false,
    packages: [
      { name: '@acme/backend-good', version: '1.0.0', source: 'path', backends: ['good'] },
      { name: '@forgejo-runner/core', version: '1.0.0', source: 'path', backends: [] },
      { name: '@forgejo-runner/runner', version: '1.0.0', source: 'path', backends: [] },
    ],
    lock: expect.stringMatching(/^forgejo-runner-lock-1:/) as string,
  });
});

it.each([
  ['20.20.2', true],
  ['24.14.9', true],
  ['24.15.0', false],
  ['27.0.0', false],
])('says on Node %s whether it is too old: %s', async (version, isTooOld) => {
  await buildWith('good');
  const pretend = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`;
  const args = ['--import', `data:text/javascript,${encodeURIComponent(pretend)}`, output, 'list-backends'];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  const message = `expected Node 24.15 or newer, found ${version}; next: start ${output} with a newer Node, or build an executable that needs none: forgejo-runner-build --sea\n`;
  expect([status, stderr]).toEqual(isTooOld ? [1, message] : [0, '']);
});

it('has nothing for an old Node to read but the message, the rest being comments until then', async () => {
  await workplace.build('--output', output);
  const lines = (await readFile(output, 'utf8')).split('\n').filter((line) => !line.startsWith('//'));
  const imported = [...lines.join('\n').matchAll(/\bimport\b[^\n]*/g)].map(([text]) => text);
  expect(imported).toEqual(["import * as __module from 'node:module';", 'import.meta.url;', "import('./entry.js');"]);
});

it('has no path of the builder in it, and is the same file from another folder', async () => {
  await buildWith('cjs-only');
  const first = await readFile(output, 'utf8');
  await using other = await openWorkplace();
  await using copies = await openTempFolder();
  await cp(fixture('cjs-only'), copies.join('deeper/down/cjs-only'), { recursive: true });
  const second = other.project.join('runner.mjs');
  await other.build(...withFixtureRunner, '--with', copies.join('deeper/down/cjs-only'), '--output', second);
  expect(await readFile(second, 'utf8')).toBe(first);
  for (const place of [workplace.cacheDir, workplace.project.path, fixture('cjs-only')])
    expect(first).not.toContain(place);
});

it('loads what is imported lazily only when it is used, modules of Node as well', async () => {
  await buildWith('good');
  expect((await runBuilt(output, 'loaded')).stdout).toBe('false\n');
  expect((await runBuilt(output, 'lazy')).stdout).toBe('loaded on demand\n');
});

it('leaves a native addon out when told to, so that the fallback of the package works', async () => {
  const { code } = await buildWith('native-addon', '--native', '@acme/backend-native-addon=stub');
  expect(code).toBe(0);
  expect((await runBuilt(output, 'create', 'native')).stdout).toBe('Error: slow, because of MODULE_NOT_FOUND\n');
});

const hazard = `FRB502 @acme/backend-reads-file@1.0.0 index.js:13 reads data/greeting.txt next to itself; inside one file that path does not exist`;

it('warns of a package that reads files beside itself', async () => {
  const { code, stderr } = await buildWith('reads-file-beside');
  expect(stderr).toContain(hazard);
  expect(code).toBe(0);
  expect((await runBuilt(output, 'create', 'reads')).stdout).toContain('ENOENT');
});

it('refuses such a package with --strict', async () => {
  const { code, stderr } = await buildWith('reads-file-beside', '--strict');
  expect(stderr).toContain(hazard);
  expect(code).toBe(5);
});

it.each(['no-types', 'plain-any', 'vacuous-unresolved'])(
  'accepts %s when its risk is accepted, and says so',
  async (name) => {
    const full = `@acme/backend-${name}`;
    const { code, stderr } = await buildWith(name, '--allow-untyped', full);
    expect(stderr).toMatch(new RegExp(`⚠ FRB40[26] ${full}@`));
    expect(code).toBe(0);
  },
);

it('checks a package again when one of its declarations changed', async () => {
  await using copy = await openTempFolder();
  await cp(fixture('good'), copy.path, { recursive: true });
  const run = (...flags: readonly string[]): Promise<Ended> =>
    workplace.build(...withFixtureRunner, '--with', copy.path, '--output', output, ...flags);
  expect((await run()).stderr).toContain('1 checked');
  expect((await run('--force')).stderr).toContain('1 unchanged');
  await writeFile(copy.join('index.d.ts'), 'export declare const factory: any;\n');
  expect((await run()).stderr).toContain('FRB406 @acme/backend-good@1.0.0');
});

it('refuses a name that is not the name of the folder', async () => {
  const { code, stderr } = await workplace.build(...withFixtureRunner, '--with', `@acme/other=${fixture('good')}`);
  expect(stderr).toContain('expected package @acme/other, found @acme/backend-good');
  expect(code).toBe(2);
});

it('refuses a package that is named twice', async () => {
  await using copy = await openTempFolder();
  await cp(fixture('good'), copy.path, { recursive: true });
  const { stderr } = await workplace.build(...withFixtureRunner, '--with', fixture('good'), '--with', copy.path);
  expect(stderr).toContain('FRB407 @acme/backend-good is named twice: 1.0.0 and 1.0.0');
});

it('keeps the old output when the new one cannot be written', async () => {
  await buildWith('good');
  const before = await readFile(output, 'utf8');
  const blocked = await workplace.build(
    ...withFixtureRunner,
    '--with',
    fixture('subpath'),
    '--output',
    workplace.project.path,
  );
  expect(blocked.stderr).toContain('could not be written: it is a folder (EISDIR)');
  expect(blocked.code).toBe(6);
  expect(await readFile(output, 'utf8')).toBe(before);
});

it('names the folder that an output is to go to and that is not there', async () => {
  const missing = workplace.project.join('no/such/folder/runner.mjs');
  const { code, stderr } = await workplace.build(...withFixtureRunner, '--with', fixture('good'), '--output', missing);
  expect(stderr).toContain(`FRB602 ${missing} could not be written: its folder does not exist (ENOENT)`);
  expect(code).toBe(6);
});

it('is executable for everybody whatever the umask', async () => {
  await chmod(output, 0o600);
  await buildWith('good');
  expect((await stat(output)).mode & 0o777).toBe(0o755);
});
