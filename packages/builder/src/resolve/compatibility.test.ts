import { expect, it } from 'vitest';
import type { UserError } from '../user-error.ts';
import { requireCompatible } from './compatibility.ts';

const field = { api: 1, backends: ['a'], export: '.' };
const none = (): Promise<undefined> => Promise.resolve(undefined);

async function judge(candidate: object, fitting = none): Promise<string> {
  const all = { name: '@acme/a', version: '1.2.0', field, ...candidate };
  return requireCompatible(all, { version: '1.4.2', served: [] }, fitting).then(
    () => 'fits',
    (error: UserError) => error.code,
  );
}

it.each([
  ['no word about the API', {}, 'fits'],
  ['a range that has it', { peerDependencies: { '@forgejo-runner/core': '^1.0.0' } }, 'fits'],
  ['a range over two majors', { peerDependencies: { '@forgejo-runner/core': '^1.0.0 || ^2.0.0' } }, 'fits'],
  ['any version', { peerDependencies: { '@forgejo-runner/core': '*' } }, 'fits'],
  ['something that is no range', { peerDependencies: { '@forgejo-runner/core': 'workspace:*' } }, 'fits'],
  ['a newer minor', { peerDependencies: { '@forgejo-runner/core': '^1.6.0' } }, 'FRB301'],
  ['an older patch only', { peerDependencies: { '@forgejo-runner/core': '~1.3.0' } }, 'FRB301'],
  ['another major as peer', { peerDependencies: { '@forgejo-runner/core': '^2.0.0' } }, 'FRB401'],
  ['another major in the field', { field: { ...field, api: 2 } }, 'FRB401'],
  ['a copy of this major', { dependencies: { '@forgejo-runner/core': '^1.0.0' } }, 'fits'],
  ['a copy of another major', { dependencies: { '@forgejo-runner/core': '3.x' } }, 'FRB408'],
])('judges a package with %s', async (_, candidate, verdict) => {
  expect(await judge(candidate)).toBe(verdict);
});

it('names a version that fits when the registry knows one', async () => {
  const candidate = { name: '@acme/a', version: '3.0.0', field: { ...field, api: 2 } };
  await expect(
    requireCompatible(candidate, { version: '1.4.2', served: [] }, () => Promise.resolve('2.7.4')),
  ).rejects.toMatchObject({
    code: 'FRB401',
    message: '@acme/a@3.0.0 is written for API 2; this runner (1.4.2) speaks API 1',
    next: 'use --with @acme/a@2.7.4 (latest for API 1)',
  });
});

const served = [{ api: 1, version: '1.4.2', export: './v1', adapter: './v1-adapter' }];
const both = { version: '2.1.0', served };

it.each<[string, object, string]>([
  ['for this major', { field: { ...field, api: 2 }, peerDependencies: { '@forgejo-runner/core': '^2.0.0' } }, 'own'],
  ['for the major before', { peerDependencies: { '@forgejo-runner/core': '^1.0.0' } }, 'served 1.4.2'],
  ['for a newer minor of it', { peerDependencies: { '@forgejo-runner/core': '^1.6.0' } }, 'FRB301'],
  ['for a major before that', { field: { ...field, api: 0 } }, 'FRB401'],
  ['with a copy of the major before', { dependencies: { '@forgejo-runner/core': '^1.0.0' } }, 'served 1.4.2'],
  ['with a copy of this major', { dependencies: { '@forgejo-runner/core': '^2.0.0' } }, 'FRB408'],
])('judges a package %s where two majors are served', async (_, candidate, verdict) => {
  const all = { name: '@acme/a', version: '1.2.0', field, ...candidate };
  const found = await requireCompatible(all, both, none).then(
    (one) => (one === undefined ? 'own' : `served ${one.version}`),
    (error: UserError) => error.code,
  );
  expect(found).toBe(verdict);
});

it('names both majors that it speaks', async () => {
  const candidate = { name: '@acme/a', version: '3.0.0', field: { ...field, api: 3 } };
  await expect(requireCompatible(candidate, both, none)).rejects.toMatchObject({
    message: '@acme/a@3.0.0 is written for API 3; this runner (2.1.0) speaks API 2 and 1',
  });
});
