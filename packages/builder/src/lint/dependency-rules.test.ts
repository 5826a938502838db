import { expect, it } from 'vitest';
import type { AuthorPackageJson } from './author-package.ts';
import { checkDependencies } from './dependency-rules.ts';
import type { EditedPackage, Remark } from './finding.ts';

const core = '@forgejo-runner/core';

function check(groups: Partial<AuthorPackageJson>): readonly Remark[] {
  const json = { name: '@acme/backend-foo', version: '1.0.0', ...groups };
  return checkDependencies({ dir: '/x', file: '/x/package.json', text: '', json, topFiles: [] }, '1.3.0');
}

function mend(groups: Partial<AuthorPackageJson>): EditedPackage {
  const edited = structuredClone(groups) as EditedPackage;
  for (const { fix } of check(groups)) fix?.(edited);
  return edited;
}

it.each(['^1.0.0', '^1.2.0', '^1.3.0', '1', '^1.0.0 || ^1.2.0'])('takes the peer range %s', (range) => {
  expect(check({ peerDependencies: { [core]: range } })).toEqual([]);
});

it.each([
  ['>=1.2.0', 'which takes API majors that do not exist yet', '^1.2.0'],
  ['1.0.0', 'which does not take later versions of its API major', '^1.0.0'],
  ['~1.1.0', 'which does not take later versions of its API major', '^1.1.0'],
  ['*', 'which takes API majors that do not exist yet', '^1.3.0'],
  ['latest', 'which is none', '^1.3.0'],
])('asks for another peer range than %s', (range, why, wanted) => {
  const peers = { peerDependencies: { [core]: range } };
  expect(check(peers)).toEqual([
    expect.objectContaining({
      rule: 'peer-range',
      message: expect.stringContaining(why),
      at: ['peerDependencies', core],
    }),
  ]);
  expect(mend(peers)).toEqual({ peerDependencies: { [core]: wanted } });
});

it('moves the API to the peers, among the other names in their order', () => {
  const groups = {
    dependencies: { [core]: '1.1.0', zod: '^4.0.0' },
    devDependencies: { '@types/node': '^26.0.0', vitest: '^5.0.0' },
  };
  expect(check(groups).map(({ rule, severity }) => [rule, severity])).toEqual([['peer', 'error']]);
  const mended = mend(groups);
  expect(mended).toEqual({
    dependencies: { zod: '^4.0.0' },
    peerDependencies: { [core]: '^1.1.0' },
    devDependencies: { '@types/node': '^26.0.0', vitest: '^5.0.0', [core]: '^1.1.0' },
  });
  expect(Object.keys(mended['devDependencies'] as object)).toEqual([core, '@types/node', 'vitest']);
});

it('asks for packages of this project in versions that are here, wherever they are named', () => {
  const peerDependencies = { [core]: '^1.0.0' };
  const others = { '@forgejo-runner/kit': '^2.0.0', '@forgejo-runner/testkit': 'file:../testkit', zod: '^3.0.0' };
  const found = check({ peerDependencies, devDependencies: others });
  expect(found.map(({ rule, at }) => [rule, at])).toEqual([
    ['own-versions', ['devDependencies', '@forgejo-runner/kit']],
  ]);
  expect(mend({ peerDependencies, devDependencies: others })).toMatchObject({
    devDependencies: { ...others, '@forgejo-runner/kit': '^1.3.0' },
  });
});
