import { cp, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readServed, servedByRelease } from '../src/resolve/served-api.ts';
import { type Ended, fixture, openWorkplace, runBuilt, type Workplace } from './run-builder.ts';

let workplace: Workplace;
let output: string;
let packages: TempFolder;
let flags: readonly string[];

beforeAll(async () => {
  workplace = await openWorkplace();
  output = workplace.project.join('runner.mjs');
  // Away from this checkout, in which every folder finds its API.
  packages = await openTempFolder();
  const names = ['runner', 'core-serving-two', 'good', 'newer-api', 'older-mismatch'];
  for (const name of names) await cp(fixture(name), packages.join(name), { recursive: true });
  const replaced = [`@forgejo-runner/runner=${packages.join('runner')}`];
  replaced.push(`@forgejo-runner/core=${packages.join('core-serving-two')}`);
  flags = ['--without', 'host', ...replaced.flatMap((one) => ['--replace', one])];
});
afterAll(async () => {
  await packages[Symbol.asyncDispose]();
  await workplace[Symbol.asyncDispose]();
});

function build(...more: readonly string[]): Promise<Ended> {
  return workplace.build(...flags, ...more);
}

const listed = [
  { id: 'good', description: 'Fixture good, through the adapter', package: '@acme/backend-good' },
  { id: 'newer', description: 'Written for API 2', package: '@acme/backend-newer-api' },
];

it('serves a backend for the major before through the adapter of core, beside one for this', async () => {
  const { code, stderr } = await build(
    '--with',
    packages.join('good'),
    '--with',
    packages.join('newer-api'),
    '--output',
    output,
  );
  expect(stderr).not.toContain('FRB');
  expect(code).toBe(0);
  const { stdout } = await runBuilt(output, 'list-backends', '--json');
  expect(JSON.parse(stdout)).toMatchObject({ backends: listed });
  expect((await runBuilt(output, 'create', 'good')).stdout).toBe('Error: a fixture creates nothing\n');
  const info = JSON.parse((await runBuilt(output, 'build-info')).stdout) as { packages: object[] };
  expect(info.packages[0]).toEqual({
    name: '@acme/backend-good',
    version: '1.0.0',
    source: 'path',
    adaptedFrom: '1.4.2',
    backends: ['good'],
  });
  expect(info.packages[1]).not.toHaveProperty('adaptedFrom');
});

it('does so in the dev loop as well', async () => {
  const run = [
    'run',
    ...flags,
    '--with',
    packages.join('good'),
    '--with',
    packages.join('newer-api'),
    '--',
    'list-backends',
  ];
  const { code, stdout, stderr } = await workplace.build(...run);
  expect(stderr).toBe('');
  expect(JSON.parse(stdout)).toMatchObject({ backends: listed });
  expect(code).toBe(0);
});

it('checks the types against the major that a package is written for', async () => {
  const { code, stderr } = await build('--with', packages.join('older-mismatch'));
  expect(stderr).toContain(
    'FRB405 @acme/backend-older-mismatch@1.0.0: factory.create(ctx) expects log: (line: string) => void, which API 1.4.2 does not pass',
  );
  expect(code).toBe(4);
});

it('takes a copy of the older API that a package has for its tests for no other', async () => {
  await using backend = await openTempFolder();
  await cp(fixture('good'), backend.path, { recursive: true });
  await cp(fixture('core-1'), backend.join('node_modules/@forgejo-runner/core'), { recursive: true });
  const { code, stderr } = await build(
    '--with',
    backend.path,
    '--output',
    output,
    '--allow-untyped',
    '@acme/backend-good',
  );
  expect(stderr).not.toContain('FRB408');
  expect(code).toBe(0);
  expect((await runBuilt(output, 'list-backends')).stdout).toContain('through the adapter');
});

it('refuses a major that is not served, and names those that are', async () => {
  await using backend = await openTempFolder();
  await cp(fixture('newer-api'), backend.path, { recursive: true });
  const text = await readFile(backend.join('package.json'), 'utf8');
  await backend.write({ 'package.json': text.replace('"api": 2', '"api": 3') });
  const { code, stderr } = await build('--with', backend.path);
  expect(stderr).toContain('is written for API 3; this runner (2.1.0) speaks API 2 and 1');
  expect(code).toBe(4);
});

it('knows without asking what the core of this release serves', async () => {
  const own = await readFile(fileURLToPath(new URL('../../core/package.json', import.meta.url)), 'utf8');
  expect(servedByRelease).toEqual(readServed((JSON.parse(own) as { forgejoRunner?: unknown }).forgejoRunner));
});
