import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { isValidVolume, normalSource } from './valid-volumes.ts';

it.each<[string, string | undefined]>([
  ['/srv//data/../data/./x/', '/srv/data/x'],
  ['/..//../etc', '/etc'],
  ['//etc', '/etc'],
  ['/', '/'],
  ['data_1.x-y', 'data_1.x-y'],
  ['', ''],
  [String.raw`C:\a\..\Data\ `.trim(), String.raw`C:\Data`],
  ['c:/a//b', String.raw`c:\a\b`],
  ['C:\\', 'C:\\'],
  [String.raw`\\server\share\x`, String.raw`\\server\share\x`],
  ['C:data', undefined],
  ['./data', undefined],
  ['../data', undefined],
  ['~/data', undefined],
  ['a/b', undefined],
  ['-v', undefined],
  ['.hidden', undefined],
  ['a:b', undefined],
  ['/a\0b', undefined],
  [String.raw`/data\..\..\etc`, undefined],
])('takes %j for %j', (source, normal) => {
  expect(normalSource(source)).toBe(normal);
});

it.each<[source: string, patterns: readonly string[], isValid: boolean]>([
  ['/srv/data', [], false],
  ['data', [], false],
  ['/srv/data', ['/srv/data'], true],
  ['/srv/data/', ['/srv/data'], true],
  ['/srv/data', ['/srv/data/'], true],
  ['/srv/data/sub', ['/srv/data'], false],
  ['/srv/data-of-others', ['/srv/data'], false],
  ['/srv/a/b', ['/srv/*'], true],
  ['/srv/a/b', ['/srv/**'], true],
  ['/srv/.hidden', ['/srv/*'], true],
  ['/srv', ['/srv/*'], false],
  ['/srv/../etc', ['/srv/*', '/srv/**'], false],
  ['/srv/x/../../etc/shadow', ['/srv/*'], false],
  ['/etc', ['/srv/*', 'data'], false],
  ['/src/a/x.json', ['/src/*.json'], true],
  ['/src/x.jsonl', ['/src/*.json'], false],
  ['cache-1', ['cache-?'], true],
  ['cache-10', ['cache-?'], false],
  ['b', ['{a,b}'], true],
  ['c', ['[!ab]'], true],
  ['!data', ['!data'], false],
  ['other', ['!data'], false],
  ['data', ['#x', ' data '], true],
  ['/anything/at/all', ['**'], true],
  ['/', ['**'], true],
  ['name', ['*'], true],
  [String.raw`c:\DATA\x`, [String.raw`C:\data\*`], true],
  [String.raw`c:\DATA\..\Windows`, [String.raw`C:\data\*`], false],
  ['C:/data/x', ['c:/Data/**'], true],
  ['/Data', ['/data'], false],
  ['./data', ['**'], false],
])('%j among %j is %j', (source, patterns, isValid) => {
  expect(isValidVolume(source, patterns)).toBe(isValid);
});

it('never lets a path out of an allowed folder, however it is written', () => {
  const part = fc.constantFrom('..', '.', '', 'a', 'srv', 'etc', '*', '\\', '...', '\u{1}', ' ');
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      const source = `/srv/${parts.join('/')}`;
      const normal = normalSource(source);
      const isInside = normal?.startsWith('/srv/') === true;
      expect(isValidVolume(source, ['/srv/**']) && !isInside).toBe(false);
    }),
  );
});
