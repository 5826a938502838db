import { expect, it } from 'vitest';
import { startsOf } from './workspace-files.ts';

it.each<[readonly string[], readonly string[]]>([
  [['package-lock.json'], ['package-lock.json']],
  [['**/package-lock.json'], ['']],
  [
    ['src/**/*.ts', 'src/a/b.ts', 'docs/*.md'],
    ['docs', 'src'],
  ],
  [['./src/x?.ts'], ['src']],
  [['/w/src/*.ts'], ['src']],
  [
    ['a', 'ab', 'a/b'],
    ['a', 'ab'],
  ],
  [['!secret/**', 'x/*'], ['x']],
  [['src/*', '**/*.ts'], ['']],
])('%j begins at %j', (patterns, starts) => {
  expect(startsOf(patterns, '/w')).toEqual(starts);
});
