import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { readDockerIgnore } from './docker-ignore.ts';

it.each([
  ['', 'a', false],
  ['# a\n\n', 'a', false],
  ['a', 'a', true],
  ['a', 'a/b', true],
  ['a', 'ab', false],
  ['a', 'x/a', false],
  ['/a', 'a', true],
  ['./a/', 'a/b/c', true],
  ['a/../b', 'b', true],
  ['../a', 'a', true],
  ['*.md', 'x.md', true],
  ['*.md', 'x/y.md', false],
  ['**/*.md', 'x.md', true],
  ['**/*.md', 'x/y/z.md', true],
  ['a/**', 'a/b/c', true],
  ['a/**/c', 'a/c', true],
  ['a/**/c', 'a/x/y/c', true],
  ['*/temp*', 'x/temporary', true],
  ['*/temp*', 'x/y/temporary', false],
  ['temp?', 'tempa', true],
  ['temp?', 'temp', false],
  ['[a-c].txt', 'b.txt', true],
  ['[^a-c].txt', 'b.txt', false],
  ['[', '[', true],
  ['a.b', 'axb', false],
  ['\\*', '*', true],
  ['\\*', 'x', false],
  ['*\n!keep', 'keep', false],
  ['*\n!keep\nkeep', 'keep', true],
  ['node_modules\n!node_modules/one', 'node_modules/one/x', false],
  ['.', 'a', false],
  ['\uFEFFa\r\nb', 'a', true],
])('with %j, is %j left out: %s', (text, path, expected) => {
  expect(readDockerIgnore(text)(path)).toBe(expected);
});

it('takes any text without a failure, and to its end', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string(), (text, path) => {
      expect(typeof readDockerIgnore(text)(path)).toBe('boolean');
    }),
    { numRuns: 1000 },
  );
  // A matcher that goes back and forth would outlive every time limit here.
  expect(readDockerIgnore(`${'*'.repeat(60)}b`)('a'.repeat(5000))).toBe(false);
});
