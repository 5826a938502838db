import path from 'node:path';
import { isBackendError } from '@forgejo-runner/core';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { hostPathStyle, isBelow, pathBelow, safeParts } from './safe-path.ts';

it.each([
  ['a/b', ['a', 'b']],
  ['./a//b/', ['a', 'b']],
  ['.', []],
  ['', []],
  ['a..b/..c/d..', ['a..b', '..c', 'd..']],
  ['back\\slash', ['back\\slash']],
  ['line\nbreak', ['line\nbreak']],
])('takes the POSIX name %j', (name, parts) => {
  expect(safeParts(name, 'posix')).toEqual(parts);
});

it.each(['/etc/passwd', '../x', 'a/../../x', 'a/..', '..', 'a\0b'])('refuses the POSIX name %j', (name) => {
  expect(() => safeParts(name, 'posix')).toThrow('stays below its folder');
});

it.each([
  'C:\\x',
  'C:x',
  '\\x',
  '/x',
  '\\\\host\\share',
  'a\\..\\..\\x',
  'nul',
  'a/CON.txt',
  'com1',
  'file:stream',
  'dot.',
  'space ',
  'a\nb',
])('refuses the Windows name %j', (name) => {
  expect(() => safeParts(name, 'win32')).toThrow('stays below its folder');
});

it('takes ordinary Windows names', () => {
  expect(safeParts('a\\b/c.txt', 'win32')).toEqual(['a', 'b', 'c.txt']);
  expect(pathBelow('C:\\root', 'a/b', 'win32')).toBe('C:\\root\\a\\b');
});

function attempt<T>(work: () => T): { readonly value?: T; readonly error?: unknown } {
  try {
    return { value: work() };
  } catch (error) {
    return { error };
  }
}

it('names the offender in an error of code plan', () => {
  const { error } = attempt(() => safeParts('../x', 'posix'));
  expect(isBackendError(error) && [error.code, error.details.resource]).toEqual(['plan', '../x']);
});

it.each([
  ['/a', '/a', true],
  ['/a', '/a/b', true],
  ['/a', '/ab', false],
  ['/a', '/a/../b', false],
  ['/a', '/a/..b', true],
  ['/', '/x', true],
])('isBelow(%j, %j) is %j', (root, candidate, expected) => {
  expect(isBelow(root, candidate, 'posix')).toBe(expected);
});

it('tells drives apart', () => {
  expect(isBelow('C:\\a', 'D:\\a\\b', 'win32')).toBe(false);
  expect(isBelow('C:\\a', 'c:\\A\\b', 'win32')).toBe(true);
});

it('takes the style of the machine', () => {
  expect([hostPathStyle('win32'), hostPathStyle('darwin'), hostPathStyle('linux')]).toEqual([
    'win32',
    'posix',
    'posix',
  ]);
});

it('stays below the root or refuses, for any name', () => {
  const wild = fc.oneof(
    fc.string(),
    fc
      .array(fc.constantFrom('..', '.', '', 'a', '~', 'C:', '\\', 'nul'), { maxLength: 6 })
      .map((parts) => parts.join('/')),
  );
  for (const style of ['posix', 'win32'] as const) {
    const root = style === 'posix' ? '/root' : 'C:\\root';
    fc.assert(
      fc.property(wild, (name) => {
        const { value, error } = attempt(() => pathBelow(root, name, style));
        const isRefused = isBackendError(error) && error.code === 'plan';
        expect(isRefused || (value !== undefined && isBelow(root, value, style))).toBe(true);
        expect(value === undefined || path[style].normalize(value) === value).toBe(true);
      }),
    );
  }
});
