import { fileURLToPath } from 'node:url';
import { openTempFolder } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';
import type { BuildLock } from '../resolve/lock.ts';
import type { Resolution, ResolvedBackend, ResolvedPackage } from '../resolve/resolved-package.ts';
import { openStore } from '../store/store.ts';
import { entryFiles, withoutAwait } from './entry-source.ts';

const templates = fileURLToPath(new URL('../../templates/entry', import.meta.url));

function at(name: string): ResolvedPackage {
  return { name, version: '1.2.3', dir: `/x/${name}`, source: 'registry' };
}

const lock: BuildLock = {
  lockVersion: 1,
  tools: { builder: '1', esbuild: '1', node: '26' },
  api: '1',
  backends: [],
  requests: [],
  folders: {},
  overrides: {},
  bases: {},
  packages: {},
};

function resolutionOf(...names: readonly string[]): Resolution {
  const backends: ResolvedBackend[] = names.map((name) => ({
    ...at(name),
    field: { api: 1, backends: ['x'], export: name === 'b' ? './register' : '.' },
    isSideEffectFree: false,
  }));
  return { core: at('core'), runner: at('runner'), backends, replaced: [], folders: new Map(), lock, isOfficial: true };
}

it('writes a program that a person can read', async () => {
  await using folder = await openTempFolder();
  const files = await entryFiles(resolutionOf('@acme/a', 'b'), templates, openStore(folder.path));
  expect(
    files['backends.mjs'],
  ).toBe(`// What this runner is made of, in the order of registration. Made by forgejo-runner-build.
import './backend-1.mjs'; // @acme/a 1.2.3
import './backend-2.mjs'; // b 1.2.3

export { importTimes } from './import-times.mjs';
`);
  expect(files['backend-2-begin.mjs']).toContain("attributeRegistrationsTo({ package: 'b', version: '1.2.3' });");
  expect(files['backend-2.mjs']).toContain("import './backend-2-begin.mjs';\nimport * as backend from 'b/register';");
  expect(files['backend-2.mjs']).toContain("factories.register(backend.factory, { package: 'b', version: '1.2.3' });");
});

it('remembers what it wrote', async () => {
  await using folder = await openTempFolder();
  const store = openStore(folder.path);
  const first = await entryFiles(resolutionOf('a'), templates, store);
  expect(await entryFiles(resolutionOf('a'), templates, store)).toEqual(first);
  expect(await entryFiles(resolutionOf('a', 'b'), templates, store)).not.toEqual(first);
});

it('waits for nothing at the top level where modules are not possible', async () => {
  await using folder = await openTempFolder();
  const store = openStore(folder.path);
  const { 'entry.mjs': entry = '' } = await entryFiles(resolutionOf('a'), templates, store);
  const plain = await withoutAwait(entry, store);
  expect(plain).toContain("\nimport('./program.mjs').then(");
  expect(plain).not.toContain('await');
});
