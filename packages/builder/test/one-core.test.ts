import { cp } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';
import { fixture, listBackends, openWorkplace, withFixtureRunner } from './run-builder.ts';

/** A backend package in a folder of its own, with a copy of the API inside. */
async function withOwnCore(name: string, copyOf: string): Promise<TempFolder> {
  const folder = await openTempFolder();
  await cp(fixture(name), folder.path, { recursive: true });
  const place = folder.join('node_modules/@forgejo-runner/core');
  await cp(copyOf, place, { recursive: true });
  return folder;
}

it('uses the shared copy for a package that brings its own of the same major, and says so', async () => {
  await using workplace = await openWorkplace();
  await using backend = await withOwnCore('own-core-copy', fixture('core-1'));
  const output = workplace.project.join('runner.mjs');
  const { code, stderr } = await workplace.build(...withFixtureRunner, '--with', backend.path, '--output', output);
  expect(stderr).toContain(
    'FRB408 @acme/backend-own-core@1.0.0 brings its own @forgejo-runner/core 1.3.0; the shared copy 1.0.0 is used',
  );
  expect(code).toBe(0);
  expect(await listBackends(output)).toEqual(['own-core']);
});

it('says nothing of a copy that is there for the tests of a package, where others have the API as a peer', async () => {
  await using workplace = await openWorkplace();
  await using backend = await withOwnCore('good', fixture('core-1'));
  const output = workplace.project.join('runner.mjs');
  const { code, stderr } = await workplace.build(...withFixtureRunner, '--with', backend.path, '--output', output);
  expect(stderr).not.toContain('FRB408');
  expect(code).toBe(0);
  expect(await listBackends(output)).toEqual(['good']);
});

it('refuses a copy of another major that no package.json mentions', async () => {
  await using workplace = await openWorkplace();
  await using backend = await withOwnCore('good', fixture('core-2'));
  const { code, stderr } = await workplace.build(
    ...withFixtureRunner,
    '--with',
    backend.path,
    '--allow-untyped',
    '@acme/backend-good',
  );
  expect(stderr).toContain(
    'FRB408 @acme/backend-good@1.0.0 brings its own @forgejo-runner/core 2.4.0; this runner has 1.0.0, another major',
  );
  expect(code).toBe(4);
});

it('replaces a package wherever it is imported', async () => {
  await using workplace = await openWorkplace();
  const output = workplace.project.join('runner.mjs');
  const own = fileURLToPath(new URL('../../core', import.meta.url));
  const { code, stdout } = await workplace.build(
    ...withFixtureRunner,
    '--replace',
    `@forgejo-runner/core=${own}`,
    '--with',
    fixture('good'),
    '--output',
    output,
    '--log-format=json',
  );
  expect(code).toBe(0);
  const built = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { buildInfo: { official: boolean } };
  expect(built.buildInfo.official).toBe(false);
});
