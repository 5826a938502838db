import { createHash } from 'node:crypto';
import { expect, it, test } from 'vitest';
import { type FileLister, hashFiles, hashFilesFunction, type ListOptions } from './hash-files.ts';
import { matchesGlob, parseGlob } from './glob.ts';

const tree = new Map([
  ['package-lock.json', 'root'],
  ['src/package-lock.json', 'inner'],
  ['src/a/b.ts', 'b'],
  ['.hidden/x', 'h'],
  ['empty', ''],
  ['big', 'chunk,chunk'],
]);

/** A tree in memory, with its files in an odd order and their contents in chunks. */
function listerOf(files: ReadonlyMap<string, string>): FileLister & { readonly read: string[]; options?: ListOptions } {
  const read: string[] = [];
  const lister: FileLister & { read: string[]; options?: ListOptions } = {
    root: '/workspace',
    read,
    list: async function* list(_patterns, options) {
      lister.options = options;
      for (const [path, text] of [...files].toReversed()) {
        yield { path, content: contentOf(path, text) };
      }
    },
  };
  async function* contentOf(path: string, text: string): AsyncGenerator<Uint8Array> {
    read.push(path);
    for (const chunk of text.split(',')) yield Buffer.from(chunk);
  }
  return lister;
}

/** What GitHub computes: the digest of the digests. */
function expected(paths: readonly string[]): string {
  if (paths.length === 0) return '';
  const all = createHash('sha256');
  for (const path of paths)
    all.update(
      createHash('sha256')
        .update((tree.get(path) ?? '').replaceAll(',', ''))
        .digest(),
    );
  return all.digest('hex');
}

test.each<[patterns: string[], paths: string[]]>([
  [['package-lock.json'], ['package-lock.json']],
  [['**/package-lock.json'], ['package-lock.json', 'src/package-lock.json']],
  [['./package-lock.json'], ['package-lock.json']],
  [['/workspace/package-lock.json'], ['package-lock.json']],
  [['/workspace/**/*.ts'], ['src/a/b.ts']],
  [['src'], ['src/a/b.ts', 'src/package-lock.json']],
  [['src/'], ['src/a/b.ts', 'src/package-lock.json']],
  [['src/**'], ['src/a/b.ts', 'src/package-lock.json']],
  [['src/*'], ['src/a/b.ts', 'src/package-lock.json']],
  [['*/x'], ['.hidden/x']],
  [['empty'], ['empty']],
  [
    ['big', 'empty'],
    ['big', 'empty'],
  ],
  [['src', '!**/*.ts'], ['src/package-lock.json']],
  [
    ['!**/*.ts', 'src'],
    ['src/a/b.ts', 'src/package-lock.json'],
  ],
  [['src', '!src', 'src/a'], ['src/a/b.ts']],
  [['src\n!src/a'], ['src/package-lock.json']],
  [['# src\n\n  empty  '], ['empty']],
  [['--follow-symbolic-links', 'empty'], ['empty']],
  [['**'], ['.hidden/x', 'big', 'empty', 'package-lock.json', 'src/a/b.ts', 'src/package-lock.json']],
  [['nothing'], []],
  [['!empty'], []],
  [[''], []],
])('hashes %j as %j', async (patterns, paths) => {
  const lister = listerOf(tree);
  expect(await hashFiles(patterns, lister)).toBe(expected(paths));
  expect(lister.read.toSorted()).toEqual(paths.toSorted());
});

it('passes on whether links are to be followed', async () => {
  const lister = listerOf(tree);
  await hashFiles(['empty'], lister);
  expect(lister.options).toEqual({ followSymbolicLinks: false });
  await hashFiles(['--follow-symbolic-links', 'empty'], lister);
  expect(lister.options).toEqual({ followSymbolicLinks: true });
});

it('gives the known digest of one empty file', async () => {
  // sha256(sha256('')), as `printf '' | sha256sum | xxd -r -p | sha256sum` prints it.
  expect(await hashFiles(['empty'], listerOf(tree))).toBe(
    '5df6e0e2761359d30a8275058e299fcc0381534545f55cf43e41983f5d4c9456',
  );
});

it('is a function for scopes', async () => {
  const hash = hashFilesFunction(listerOf(tree));
  expect(await hash.call(['empty'])).toBe(expected(['empty']));
});

test.each<[pattern: string, path: string, matches: boolean]>([
  ['*', 'a', true],
  ['*', 'a/b', true],
  ['*.ts', 'a.ts', true],
  ['*.ts', 'a/b.ts', false],
  ['**/*.ts', 'b.ts', true],
  ['**/*.ts', 'a/c/b.ts', true],
  ['a/**/b', 'a/b', true],
  ['a/**/b', 'a/x/y/b', true],
  ['a/**/b', 'a/x/y/c', false],
  ['a/**/b/**/c', 'a/b/x/b/y/c', true],
  ['?.ts', 'a.ts', true],
  ['?.ts', 'ab.ts', false],
  ['?', '𐐨', true],
  ['[ab].ts', 'b.ts', true],
  ['[a-c]x', 'bx', true],
  ['[a-c]x', 'dx', false],
  ['[!a]x', 'bx', true],
  ['[^a]x', 'ax', false],
  ['[]]x', ']x', true],
  ['[', '[', true],
  ['a[', 'a[', true],
  ['\\*', '*', true],
  ['\\*', 'a', false],
  ['{a,b}', 'a', false],
  ['{a,b}', '{a,b}', true],
  ['a*b*c', 'aXbXbXc', true],
  ['a*b*c', 'aXbXbX', false],
  ['**', '.git/config', true],
  ['.*', '.git', true],
  ['a', 'ab', false],
  ['a', 'a/b/c', true],
  ['A', 'a', false],
])('%s takes %s: %s', (pattern, path, matches) => {
  expect(matchesGlob(parseGlob(pattern), path)).toBe(matches);
});

it('matches patterns of many stars at once', () => {
  expect(matchesGlob(parseGlob(`${'*a'.repeat(100)}b`), 'a'.repeat(4000))).toBe(false);
  expect(matchesGlob(parseGlob('**/a/'.repeat(100).concat('b')), 'a/'.repeat(2000).concat('c'))).toBe(false);
});
