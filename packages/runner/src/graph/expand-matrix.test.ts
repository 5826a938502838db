import { expect, it, test } from 'vitest';
import { fromJsonValue, toJsonValue } from '../expressions/values.ts';
import { expandMatrix, matrixName } from './expand-matrix.ts';

type Json = unknown;

function expand(matrix: Json): Json {
  return expandMatrix(fromJsonValue(matrix)).map((combination) => toJsonValue(combination));
}

test.each<[title: string, matrix: Json, combinations: Json[]]>([
  ['no matrix', null, [{}]],
  ['an empty matrix', {}, [{}]],
  ['one list', { version: [10, 12, 14] }, [{ version: 10 }, { version: 12 }, { version: 14 }]],
  [
    'two lists, the last one turns fastest',
    { os: ['u', 'w'], version: [1, 2] },
    [
      { os: 'u', version: 1 },
      { os: 'u', version: 2 },
      { os: 'w', version: 1 },
      { os: 'w', version: 2 },
    ],
  ],
  [
    "GitHub's example of include",
    {
      fruit: ['apple', 'pear'],
      animal: ['cat', 'dog'],
      include: [
        { color: 'green' },
        { color: 'pink', animal: 'cat' },
        { fruit: 'apple', shape: 'circle' },
        { fruit: 'banana' },
        { fruit: 'banana', animal: 'cat' },
      ],
    },
    [
      { fruit: 'apple', animal: 'cat', color: 'pink', shape: 'circle' },
      { fruit: 'apple', animal: 'dog', color: 'green', shape: 'circle' },
      { fruit: 'pear', animal: 'cat', color: 'pink' },
      { fruit: 'pear', animal: 'dog', color: 'green' },
      { fruit: 'banana' },
      { fruit: 'banana', animal: 'cat' },
    ],
  ],
  [
    'include that extends one combination',
    { os: ['w', 'u'], node: [14, 16], include: [{ os: 'w', node: 16, npm: 6 }] },
    [
      { os: 'w', node: 14 },
      { os: 'w', node: 16, npm: 6 },
      { os: 'u', node: 14 },
      { os: 'u', node: 16 },
    ],
  ],
  [
    'include that adds one',
    { os: ['m', 'w'], version: [12], include: [{ os: 'w', version: 17 }] },
    [
      { os: 'm', version: 12 },
      { os: 'w', version: 12 },
      { os: 'w', version: 17 },
    ],
  ],
  [
    'include alone',
    {
      include: [
        { site: 'p', dc: 'a' },
        { site: 's', dc: 'b' },
      ],
    },
    [
      { site: 'p', dc: 'a' },
      { site: 's', dc: 'b' },
    ],
  ],
  [
    "GitHub's example of exclude",
    {
      os: ['m', 'w'],
      version: [12, 14, 16],
      environment: ['staging', 'production'],
      exclude: [
        { os: 'm', version: 12, environment: 'production' },
        { os: 'w', version: 16 },
      ],
    },
    [
      { os: 'm', version: 12, environment: 'staging' },
      { os: 'm', version: 14, environment: 'staging' },
      { os: 'm', version: 14, environment: 'production' },
      { os: 'm', version: 16, environment: 'staging' },
      { os: 'm', version: 16, environment: 'production' },
      { os: 'w', version: 12, environment: 'staging' },
      { os: 'w', version: 12, environment: 'production' },
      { os: 'w', version: 14, environment: 'staging' },
      { os: 'w', version: 14, environment: 'production' },
    ],
  ],
  [
    'what was excluded and is included again',
    { a: [1, 2], exclude: [{ a: 2 }], include: [{ a: 2, b: 3 }] },
    [{ a: 1 }, { a: 2, b: 3 }],
  ],
  ['exclude of a key that is not there', { a: [1], exclude: [{ b: 1 }] }, [{ a: 1 }]],
  [
    'exclude of objects by some members',
    { n: [{ v: 14 }, { v: 20, env: 'x' }], exclude: [{ n: { v: 20 } }] },
    [{ n: { v: 14 } }],
  ],
  ['exclude of lists as a whole', { n: [[1, 2], [1]], exclude: [{ n: [1, 2] }] }, [{ n: [1] }]],
  ['objects as values', { n: [{ v: 14 }, { v: 20 }] }, [{ n: { v: 14 } }, { n: { v: 20 } }]],
  ['include of an object that is there', { n: [{ v: 1 }], include: [{ n: { v: 1 }, x: 2 }] }, [{ n: { v: 1 }, x: 2 }]],
  [
    'include of a part of an object',
    { n: [{ v: 1, w: 2 }], include: [{ n: { v: 1 } }] },
    [{ n: { v: 1, w: 2 } }, { n: { v: 1 } }],
  ],
  ['the limit', { a: Array.from({ length: 256 }, () => 1) }, Array.from({ length: 256 }, () => ({ a: 1 }))],
])('expands %s', (_title, matrix, combinations) => {
  expect(expand(matrix)).toEqual(combinations);
});

it('keeps a hostile key a key', () => {
  const [combination] = expandMatrix(new Map([['__proto__', ['x']]]));
  expect([...(combination ?? [])]).toEqual([['__proto__', 'x']]);
});

const hundred = Array.from({ length: 100 }, (_, index) => index);

test.each<[title: string, matrix: Json, message: string]>([
  ['a list', [1], 'expected a mapping of lists for the matrix, found something else'],
  ['a text for a list', { a: 'b' }, 'expected a list for "a" in the matrix, found something else'],
  ['an empty list', { a: [] }, 'expected at least one value for "a" in the matrix, found none'],
  ['an empty include alone', { include: [] }, 'expected at least one combination in the matrix, found none'],
  [
    'everything excluded',
    { a: [1], exclude: [{ a: 1 }] },
    'expected at least one combination in the matrix, found none',
  ],
  [
    'a mapping as include',
    { a: [1], include: {} },
    'expected a list of mappings for "include" in the matrix, found something else',
  ],
  [
    'texts in exclude',
    { a: [1], exclude: ['b'] },
    'expected a list of mappings for "exclude" in the matrix, found something else',
  ],
  [
    'too many',
    { a: Array.from({ length: 257 }, () => 1) },
    'expected at most 256 combinations in the matrix, found 257',
  ],
  [
    'far too many',
    { a: hundred, b: hundred, c: hundred, d: hundred },
    'expected at most 256 combinations in the matrix, found 100000000',
  ],
])('refuses %s', (_title, matrix, message) => {
  expect(() => expand(matrix)).toThrow(message);
});

test.each<[combination: Json, name: string]>([
  [{}, 'build'],
  [{ node: 18, os: 'linux' }, 'build (18, linux)'],
  [{ node: 1.1, debug: true, none: null, empty: '' }, 'build (1.1, true)'],
  [{ node: { version: 18, flags: ['a'] } }, 'build (18, [ "a" ])'],
  [{ list: [1, 'b'] }, 'build (1, b)'],
])('names %j %s', (combination, name) => {
  const [map] = [fromJsonValue(combination)];
  expect(map instanceof Map && matrixName('build', map)).toBe(name);
});
