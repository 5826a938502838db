import { expect, it } from 'vitest';
import { readCallReference } from './call-reference.ts';

it.each([
  ['./.forgejo/workflows/a.yml', { kind: 'local', path: '.forgejo/workflows/a.yml' }],
  ['./a.yaml', { kind: 'local', path: 'a.yaml' }],
  ['./a b/ü.yml', { kind: 'local', path: 'a b/ü.yml' }],
  ['o/r/.github/workflows/a.yml@v1', { kind: 'remote', uses: 'o/r/.github/workflows/a.yml@v1' }],
  ['o/r/a.yml@refs/heads/x', { kind: 'remote', uses: 'o/r/a.yml@refs/heads/x' }],
  [
    'https://h:3/o/r/.forgejo/workflows/a.yml@v1',
    { kind: 'remote', uses: 'https://h:3/o/r/.forgejo/workflows/a.yml@v1' },
  ],
])('reads %s', (uses, reference) => {
  expect(readCallReference(uses)).toEqual(reference);
});

it.each([
  '',
  './',
  './a.txt',
  './a.yml@v1',
  './../a.yml',
  './a/../b.yml',
  './a//b.yml',
  './.\\a.yml',
  './a\n.yml',
  'a.yml',
  '/etc/a.yml',
  'o/r@v1',
  'o/r/a.yml',
  'o/r/a.yml@',
  'ssh://h/o/r/a.yml@v1',
  'docker://o/r/a.yml@v1',
  `./${'a'.repeat(1100)}.yml`,
])('refuses %j', (uses) => {
  expect(readCallReference(uses)).toEqual({ message: expect.stringMatching(/^expected .*, found/s) });
});

it('shows no login of an address', () => {
  expect(readCallReference('https://me:hunter2@h/o/r/a.txt@v1')).toEqual({
    message: expect.stringMatching(/found "https:\/\/\*\*\*@h\/o\/r\/a\.txt@v1"$/),
  });
});
