import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isReference, readActionReference } from './action-reference.ts';

const options = { defaultUrl: 'https://code.example/' };

function read(uses: string) {
  return readActionReference(uses, options);
}

describe('what uses may name', () => {
  it.each([
    [
      'a/b@v1',
      { url: 'https://code.example/a/b', repository: 'a/b', path: '', ref: 'v1', origin: 'https://code.example' },
    ],
    ['a/b.git@v1', { url: 'https://code.example/a/b', repository: 'a/b' }],
    ['a/b/c/d@feature/x', { url: 'https://code.example/a/b', path: 'c/d', ref: 'feature/x' }],
    ['a/b@release@2', { repository: 'a/b', ref: 'release@2' }],
    ['https://other.example/a/b@v1', { url: 'https://other.example/a/b', origin: 'https://other.example' }],
    ['http://127.0.0.1:3000/a/b/sub@v1', { url: 'http://127.0.0.1:3000/a/b', path: 'sub' }],
    ['HTTPS://Other.Example/a/b@v1', { url: 'https://other.example/a/b' }],
  ])('reads %s', (uses, expected) => {
    expect(read(uses)).toMatchObject({ kind: 'remote', ...expected });
  });

  it('reads local actions and images', () => {
    expect(read('./a/b')).toEqual({ kind: 'local', path: './a/b' });
    expect(read('docker://alpine:3')).toEqual({ kind: 'docker', image: 'alpine:3' });
  });

  it('takes credentials out of an address', () => {
    expect(read('https://me:p%40ss@other.example/a/b@v1')).toMatchObject({
      url: 'https://other.example/a/b',
      origin: 'https://other.example',
      credentials: { username: 'me', password: 'p@ss' },
    });
  });

  it('keeps the path of a default server', () => {
    expect(readActionReference('a/b@v1', { defaultUrl: 'https://code.example/git/' })).toMatchObject({
      url: 'https://code.example/git/a/b',
    });
  });
});

describe('what uses must not name', () => {
  it.each([
    'a/b',
    'a@v1',
    'a/b@',
    '/a/b@v1',
    'a//b@v1',
    'a/b/../../c@v1',
    'a/b/./c@v1',
    'a/..@v1',
    '../b@v1',
    '-a/b@v1',
    'a/--upload-pack=touch x@v1',
    'a/b@--upload-pack=touch',
    'a/b@v1..v2',
    'a/b@v1^{}',
    'a/b@a:b',
    'a/b@@{1}',
    'a/b@x.lock',
    'a/b@ v1',
    'a/b@v1\nX',
    'a/b\u202e@v1',
    'a/b\0@v1',
    'ssh://git@host/a/b@v1',
    'file://localhost/a/b@v1',
    'git://host/a/b@v1',
    'ext::sh -c id/a/b@v1',
    'git@host:a/b@v1',
    'https:///a/b@v1',
    'https://host/a@v1',
    'docker://',
    'docker://--privileged',
    '',
    `a/${'b'.repeat(2000)}@v1`,
  ])('refuses %j', (uses) => {
    expect(read(uses)).toHaveProperty('message');
  });

  it('never shows credentials in a message', () => {
    const found = read('https://me:hunter2@other.example/a@v1');
    expect(JSON.stringify(found)).toContain('***@other.example');
    expect(JSON.stringify(found)).not.toContain('hunter2');
  });

  it('gives no git option, whatever is written', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom('a', '-', '/', '.', '@', ':', '\\', '~', ' ') })),
        (uses) => {
          const found = read(uses);
          if (!isReference(found) || found.kind !== 'remote') return;
          expect(found.ref).not.toMatch(/^-|\.\.|\s/);
          expect(found.url).toMatch(/^https?:\/\//);
          expect(found.path.split('/')).not.toContain('..');
        },
      ),
      { numRuns: 2000 },
    );
  });
});
