import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { splitWords } from './split-words.ts';

it.each<[string, readonly string[] | undefined]>([
  ['', []],
  ['  a\tb\nc  ', ['a', 'b', 'c']],
  [`--health-cmd="pg_isready -U 'x'" -it`, [`--health-cmd=pg_isready -U 'x'`, '-it']],
  [`'a b'c"d e"`, ['a bcd e']],
  [`'' ""`, ['', '']],
  [String.raw`a\ b \\ \"`, ['a b', '\\', '"']],
  [String.raw`"\a \" \\ \$"`, [String.raw`\a " \ $`]],
  ['a \\\nb', ['a', 'b']],
  ['$HOME * ; # > | & `x`', ['$HOME', '*', ';', '#', '>', '|', '&', '`x`']],
  [`it's`, undefined],
  ['"open', undefined],
  ['end\\', undefined],
])('splits %j', (text, words) => {
  expect(splitWords(text)).toEqual(words);
});

it('gives back any words that were quoted', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), (words) => {
      const quoted = words.map((word) => `'${word.replaceAll("'", String.raw`'\''`)}'`).join(' ');
      expect(splitWords(quoted)).toEqual(words);
    }),
  );
});

it('makes words of any text, or nothing', () => {
  const character = fc.constantFrom('"', "'", '\\', ' ', '\n', 'a', '$');
  fc.assert(
    fc.property(fc.string({ unit: character }), (text) => {
      expect(splitWords(text)?.every((word) => word.length <= text.length) ?? true).toBe(true);
    }),
  );
});
