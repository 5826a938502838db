import { cp } from 'node:fs/promises';
import { openTempFolder } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { fixture, openWorkplace, type Workplace, withFixtureRunner } from './run-builder.ts';

let workplace: Workplace;

beforeAll(async () => {
  workplace = await openWorkplace();
});
afterAll(() => workplace[Symbol.asyncDispose]());

it('runs the TypeScript sources of a local package as they are', async () => {
  const { code, stdout, stderr } = await workplace.build(
    'run',
    ...withFixtureRunner,
    '--with',
    fixture('typescript'),
    '--',
    'list-backends',
    '--json',
  );
  expect(JSON.parse(stdout)).toMatchObject({
    backends: [
      { id: 'ts', description: 'Runs from its sources', package: '@acme/backend-typescript', version: '1.0.0' },
    ],
  });
  expect(stderr).toBe('');
  expect(code).toBe(0);
});

it('shows an edit at once', async () => {
  await using copy = await openTempFolder();
  await cp(fixture('typescript'), copy.path, { recursive: true });
  const run = async (): Promise<string> =>
    (await workplace.build('run', ...withFixtureRunner, '--with', copy.path, '--', 'list-backends')).stdout;
  expect(await run()).toContain('Runs from its sources');
  await copy.write({ 'src/description.ts': "export const description: string = 'Edited';\n" });
  expect(await run()).toContain('"Edited"');
});

it('needs no flag in the folder of a backend', async () => {
  await using own = await openWorkplace();
  await cp(fixture('good'), own.project.path, { recursive: true });
  const { stdout } = await own.build('run', ...withFixtureRunner, '--', 'list-backends');
  expect(stdout).toContain('"@acme/backend-good"');
});

it('hands arguments on as they are, and the exit code back', async () => {
  const passed = await workplace.build('run', ...withFixtureRunner, '--', 'args', '--with', 'x y', '--', '--help');
  expect(JSON.parse(passed.stdout)).toEqual(['--with', 'x y', '--', '--help']);
  const failed = await workplace.build('run', ...withFixtureRunner, '--', 'nonsense');
  expect(failed.stderr).toBe('unknown command nonsense\n');
  expect(failed.code).toBe(2);
});

it('prints what the type check finds, and lets the runner run', async () => {
  const { code, stdout, stderr } = await workplace.build(
    'run',
    ...withFixtureRunner,
    '--with',
    fixture('abort-signal'),
    '--',
    'list-backends',
  );
  expect(stdout).toContain('"abort"');
  expect(stderr).toContain('FRB405 @acme/backend-abort-signal@1.0.0: factory.create(ctx).signal expects number');
  expect(code).toBe(0);
});

it('uses one copy of the API here as well', async () => {
  await using backend = await openTempFolder();
  await cp(fixture('own-core-copy'), backend.path, { recursive: true });
  await cp(fixture('core-1'), backend.join('node_modules/@forgejo-runner/core'), { recursive: true });
  const { stdout } = await workplace.build('run', ...withFixtureRunner, '--with', backend.path, '--', 'list-backends');
  expect(stdout).toContain('"own-core"');
});

it('leaves no folder', async () => {
  const { code } = await workplace.build('run', ...withFixtureRunner, '--', 'loaded');
  expect(code).toBe(0);
  await using listing = await openWorkplace({ cacheDir: workplace.cacheDir });
  const { readdir } = await import('node:fs/promises');
  expect(await readdir(`${listing.cacheDir}/work`)).toEqual([]);
});
