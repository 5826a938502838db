import { assert, property, string } from 'fast-check';
import { expect, it } from 'vitest';
import { UserError } from '../user-error.ts';
import { isPackageName, parsePackageSpec, parseReplacement } from './package-spec.ts';

const cwd = '/home/me/project';

it.each([
  ['@acme/k8s', { kind: 'registry', name: '@acme/k8s', range: 'latest' }],
  ['k8s', { kind: 'registry', name: 'k8s', range: 'latest' }],
  ['@acme/k8s@1.2.3', { kind: 'registry', name: '@acme/k8s', range: '1.2.3' }],
  ['@acme/k8s@^1.2 || >=3', { kind: 'registry', name: '@acme/k8s', range: '^1.2 || >=3' }],
  ['k8s@>=1.0.0', { kind: 'registry', name: 'k8s', range: '>=1.0.0' }],
  ['k8s@next', { kind: 'registry', name: 'k8s', range: 'next' }],
  ['./k8s', { kind: 'path', path: '/home/me/project/k8s' }],
  ['../k8s', { kind: 'path', path: '/home/me/k8s' }],
  ['.', { kind: 'path', path: '/home/me/project' }],
  ['/opt/k8s', { kind: 'path', path: '/opt/k8s' }],
  ['file:./k8s', { kind: 'path', path: '/home/me/project/k8s' }],
  ['file:///opt/k8s', { kind: 'path', path: '/opt/k8s' }],
  ['@acme/k8s=./k8s', { kind: 'path', name: '@acme/k8s', path: '/home/me/project/k8s' }],
  ['@acme/k8s=k8s', { kind: 'path', name: '@acme/k8s', path: '/home/me/project/k8s' }],
  ['@acme/k8s@./k8s', { kind: 'path', name: '@acme/k8s', path: '/home/me/project/k8s' }],
  ['./k8s-1.0.0.tgz', { kind: 'tarball', location: '/home/me/project/k8s-1.0.0.tgz' }],
  ['k8s-1.0.0.tgz', { kind: 'tarball', location: '/home/me/project/k8s-1.0.0.tgz' }],
  ['@acme/k8s=./k8s.tar.gz', { kind: 'tarball', name: '@acme/k8s', location: '/home/me/project/k8s.tar.gz' }],
  ['https://example.org/k8s.tgz', { kind: 'tarball', location: 'https://example.org/k8s.tgz' }],
  ['git+https://example.org/k8s.git#v1', { kind: 'git', url: 'git+https://example.org/k8s.git#v1' }],
  [
    '@acme/k8s=git+ssh://git@example.org/k8s.git',
    { kind: 'git', name: '@acme/k8s', url: 'git+ssh://git@example.org/k8s.git' },
  ],
  ['git+file:///srv/k8s.git', { kind: 'git', url: 'git+file:///srv/k8s.git' }],
])('reads %s', (text, expected) => {
  expect(parsePackageSpec(text, cwd)).toEqual({ ...expected, text });
});

it.each([
  ['', 'FRB201 --with "": expected a package name, found ""'],
  ['--help', 'FRB201 --with "--help": expected a package name, found "--help"'],
  ['Acme', 'FRB201 --with "Acme": expected a package name, found "Acme"'],
  ['@acme', 'FRB201 --with "@acme": expected a package name, found "@acme"'],
  ['a/b/c', 'FRB201 --with "a/b/c": expected a package name, found "a/b/c"'],
  ['k8s@', 'FRB201 --with "k8s@": expected a version, a range or a tag after "@", found ""'],
  ['k8s@1 2 x y', 'FRB201 --with "k8s@1 2 x y": expected a version, a range or a tag after "@", found "1 2 x y"'],
  ['k8s=', 'FRB201 --with "k8s=": expected a path, a tarball or a git URL after "=", found ""'],
  [
    'https://example.org/k8s',
    'FRB201 --with "https://example.org/k8s": expected a package name, found "https://example.org/k8s"',
  ],
  ['file://far.example/x', 'FRB201 --with "file://far.example/x": expected the URL of a local file'],
])('refuses %j', (text, message) => {
  const thrown = ((): unknown => {
    try {
      return parsePackageSpec(text, cwd);
    } catch (error) {
      return error;
    }
  })();
  expect(thrown).toBeInstanceOf(UserError);
  expect(`${(thrown as UserError).code} ${(thrown as UserError).message}`).toBe(message);
});

/** What npm would get for a text: nothing where it is refused. @throws whatever is no {@link UserError} */
function forNpm(text: string): string {
  try {
    const spec = parsePackageSpec(text, cwd);
    return spec.kind === 'registry' ? spec.name : '';
  } catch (error) {
    if (error instanceof UserError) return '';
    throw error;
  }
}

it('never hands npm something that it would take for a flag', () => {
  assert(property(string(), (text) => !/^-|[\s\0]/.test(forNpm(text))));
});

it('reads what replaces a package', () => {
  expect(parseReplacement('zod=../zod', cwd)).toEqual({ name: 'zod', path: '/home/me/zod' });
  expect(() => parseReplacement('zod@^4', cwd)).toThrow(
    '--replace "zod@^4": expected NAME=PATH, where PATH is a folder',
  );
  expect(() => parseReplacement('./zod', cwd)).toThrow('--replace "./zod": expected NAME=PATH');
});

it('knows names that the registry does not take', () => {
  expect(['a', '@a/b', 'a.b-c_d', '~x'].map(isPackageName)).toEqual([true, true, true, true]);
  expect(['A', '-a', '.a', '_a', 'a b', '@a', '@a/', 'a/b', 'x'.repeat(215), 'ä'].map(isPackageName)).toEqual(
    Array.from({ length: 10 }, () => false),
  );
});
