import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { array, assert, constantFrom, oneof, property, string } from 'fast-check';
import { expect, it } from 'vitest';
import { UserError } from '../user-error.ts';
import { parseEnvFile, readEnvFile } from './env-file.ts';

function parse(text: string): Record<string, string> {
  return Object.fromEntries(parseEnvFile(text, '.env'));
}

it.each<[string, Record<string, string>]>([
  ['', {}],
  ['\n\n  \n', {}],
  ['A=1', { A: '1' }],
  ['A=1\nB=2\n', { A: '1', B: '2' }],
  ['\uFEFFA=1\r\nB=2\r\n', { A: '1', B: '2' }],
  ['  A = 1  ', { A: '1' }],
  ['export A=1', { A: '1' }],
  ['export\tA=1', { A: '1' }],
  ['exported=1', { exported: '1' }],
  ['A: 1', { A: '1' }],
  ['a.b=1', { 'a.b': '1' }],
  ['A=', { A: '' }],
  ['A=\nB=2', { A: '', B: '2' }],
  ['# comment\nA=1 # comment\n#B=2', { A: '1' }],
  ['A=1#2', { A: '1#2' }],
  ['A=#1', { A: '' }],
  ['A=x y', { A: 'x y' }],
  ['A="x # y" # z', { A: 'x # y' }],
  ["A='x # y'\nB=2", { A: 'x # y', B: '2' }],
  ['A="1\\n2\\r\\t\\"q\\""', { A: '1\n2\rt"q"' }],
  ["A='1\\n$B'", { A: '1\\n$B' }],
  ['A="line 1\nline 2"\nB=2', { A: 'line 1\nline 2', B: '2' }],
  ["A='line 1\nline 2'", { A: 'line 1\nline 2' }],
  ['A=1\nB=$A-${A}-$C.', { A: '1', B: '1-1-.' }],
  ['A=1\nB="$A\\$A"', { A: '1', B: '1$A' }],
  ['A=\\$HOME $ $(x) ${', { A: '$HOME $ $(x) ${' }],
  ['A=1\nA=2', { A: '2' }],
  ['__proto__=1', Object.fromEntries([['__proto__', '1']])],
  ['A=a=b==', { A: 'a=b==' }],
])('reads %j', (text, expected) => {
  expect(parse(text)).toEqual(expected);
});

it.each([
  ['A=1\n  what is this\n', '.env:2:3: expected NAME=value'],
  ['=1', '.env:1:1: expected NAME=value'],
  ['A-B=1', '.env:1:1: expected NAME=value'],
  ['A', '.env:1:1: expected NAME=value'],
  ['A=1\nB="never closed\nC=hunter2', '.env:2:1: expected a quote that closes the value'],
])('refuses %j', (text, message) => {
  expect(() => parse(text)).toThrow(message);
});

it('never fails otherwise than with a place', () => {
  const alphabet = constantFrom(
    'A',
    'b',
    '=',
    ':',
    '"',
    "'",
    '\\',
    '$',
    '{',
    '}',
    '#',
    ' ',
    '\n',
    'export ',
    'é',
    '\u0000',
  );
  assert(
    property(
      oneof(
        string(),
        array(alphabet).map((parts) => parts.join('')),
      ),
      (text) => {
        expect(failureOf(text)).toSatisfy(
          (error) => error === undefined || (error instanceof UserError && error.problems[0]?.at !== undefined),
        );
      },
    ),
  );
});

function failureOf(text: string): unknown {
  try {
    parseEnvFile(text, '.env');
    return undefined;
  } catch (error) {
    return error;
  }
}

it('reads back what it was given in single quotes', () => {
  const value = string().map((text) => text.replaceAll(/['\\\r]/g, ''));
  assert(
    property(value, (text) => {
      expect(parse(`A='${text}'\nB=2`)).toEqual({ A: text, B: '2' });
    }),
  );
});

it('is quick with a long line', () => {
  const text = `${' '.repeat(200_000)}A=${'# '.repeat(100_000)}\n${'x'.repeat(200_000)}`;
  expect(() => parse(text)).toThrow('.env:2:1: expected NAME=value');
});

it('reads a file, and goes without one only where it may', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'env-file-'));
  try {
    await writeFile(join(folder, 'there'), 'A=1\n');
    expect(await readEnvFile(join(folder, 'there'), { mayBeMissing: false })).toEqual(new Map([['A', '1']]));
    expect(await readEnvFile(join(folder, 'missing'), { mayBeMissing: true })).toEqual(new Map());
    await expect(readEnvFile(join(folder, 'missing'), { mayBeMissing: false })).rejects.toThrow(
      `expected a readable file with variables at "${join(folder, 'missing')}", found ENOENT`,
    );
    await expect(readEnvFile(folder, { mayBeMissing: true })).rejects.toThrow('found EISDIR');
  } finally {
    await rm(folder, { recursive: true });
  }
});
