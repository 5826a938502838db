import { expect, it } from 'vitest';
import type { ResolvedBackend } from '../resolve/resolved-package.ts';
import { compareWithPlan } from './smoke-run.ts';

function planned(name: string, ...backends: readonly string[]): ResolvedBackend {
  const field = { api: 1, backends, export: '.' };
  return { name, version: '1.0.0', dir: `/x/${name}`, source: 'path', field, isSideEffectFree: false };
}

it.each([
  ['what was planned', [{ id: 'a', package: 'p' }], []],
  ['nothing', [], ['FRB501 p@1.0.0 was imported but registered no backend']],
  ['another id', [{ id: 'b', package: 'p' }], ['FRB505 p@1.0.0 declares a in package.json but registered b']],
  [
    'one more',
    [
      { id: 'a', package: 'p' },
      { id: 'b', package: 'p' },
    ],
    ['FRB505 p@1.0.0 declares a in package.json but registered a, b'],
  ],
  [
    'one of nobody',
    [
      { id: 'a', package: 'p' },
      { id: 'z', package: null },
    ],
    ['FRB505 backend "z" registered, but no chosen package declares it'],
  ],
])('compares a list of %s with the plan', (_, listed, expected) => {
  expect(compareWithPlan(listed, [planned('p', 'a')]).map((error) => `${error.code} ${error.message}`)).toEqual(
    expected,
  );
});
