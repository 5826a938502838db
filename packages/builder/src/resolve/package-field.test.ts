import { expect, it } from 'vitest';
import { readPackageField } from './package-field.ts';

it.each([
  [
    { api: 1, backends: ['k8s'] },
    { api: 1, backends: ['k8s'], export: '.' },
  ],
  [
    { api: 1, names: ['k8s'], export: './register' },
    { api: 1, backends: ['k8s'], export: './register' },
  ],
  [
    { api: 2, backends: ['a', 'b', 'a'], later: true },
    { api: 2, backends: ['a', 'b'], export: '.' },
  ],
])('reads %j', (value, field) => {
  expect(readPackageField(value, 'x@1.0.0')).toEqual(field);
});

it.each([
  [undefined, 'x@1.0.0 is not a runner backend: package.json has no "forgejoRunner" field'],
  [null, 'x@1.0.0 is not a runner backend'],
  ['k8s', 'x@1.0.0: forgejoRunner: '],
  [{ api: 1 }, 'forgejoRunner.backends: expected a list of backend ids, found nothing'],
  [{ api: 1.5, backends: ['a'] }, 'forgejoRunner.api: '],
  [{ api: 1, backends: [] }, 'forgejoRunner.backends: '],
  [{ api: 1, backends: ['../a'] }, 'forgejoRunner.backends.0: expected a backend id'],
  [{ api: 1, backends: ['a'], export: '../../etc' }, 'forgejoRunner.export: expected "." or a subpath'],
  [{ api: 1, backends: ['a'], export: "./a';import('x')" }, 'forgejoRunner.export: expected "." or a subpath'],
])('refuses %j', (value, message) => {
  expect(() => readPackageField(value, 'x@1.0.0')).toThrow(message);
});
