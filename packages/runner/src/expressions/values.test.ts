import { assert, asyncProperty, jsonValue, property, string } from 'fast-check';
import { expect, it, test } from 'vitest';
import { evaluate } from './evaluate.ts';
import { parseExpression } from './parse.ts';
import {
  compare,
  equals,
  findProperty,
  foldCase,
  fromJsonValue,
  isTruthy,
  toJsonText,
  toJsonValue,
  toNumber,
  toText,
  type Value,
} from './values.ts';

test.each<[value: Value, text: string]>([
  [null, ''],
  [true, 'true'],
  [-0, '0'],
  [1.1, '1.1'],
  ['x', 'x'],
  [[], 'Array'],
  [new Map(), 'Object'],
])('writes %j as %j', (value, text) => {
  expect(toText(value)).toBe(text);
});

test.each<[value: Value, number: number]>([
  [null, 0],
  [true, 1],
  [false, 0],
  ['', 0],
  [' \n', 0],
  [' 12 ', 12],
  ['0x1F', 31],
  ['1e2', 100],
  ['0b1', Number.NaN],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['1_000', Number.NaN],
  [[], Number.NaN],
  [new Map(), Number.NaN],
])('counts %j as %d', (value, number) => {
  expect(toNumber(value)).toBe(number);
});

test.each<[value: Value, is: boolean]>([
  [null, false],
  [false, false],
  [0, false],
  [Number.NaN, false],
  ['', false],
  ['0', true],
  ['false', true],
  [[], true],
  [new Map(), true],
])('takes %j for %s', (value, is) => {
  expect(isTruthy(value)).toBe(is);
});

test.each<[text: string, folded: string]>([
  ['aB', 'AB'],
  ['straße', 'STRAßE'],
  ['ıİ', 'ıİ'],
  ['ﬁ', 'ﬁ'],
  ['é𐐨', 'É𐐀'],
  ['\u212A', '\u212A'],
  ['ſ', 'ſ'],
])('folds %s to %s', (text, folded) => {
  expect(foldCase(text)).toBe(folded);
});

it('finds the exact name before one that differs in case', () => {
  const map = new Map<string, Value>([
    ['Path', 1],
    ['PATH', 2],
  ]);
  expect(findProperty(map, 'PATH')).toBe(2);
  expect(findProperty(map, 'Path')).toBe(1);
  expect(findProperty(map, 'path')).toBe(1);
  expect(findProperty(map, 'pat')).toBeUndefined();
});

it('keeps the order of keys that look like numbers', () => {
  const map = new Map<string, Value>([
    ['10', 1],
    ['2', 2],
  ]);
  expect(toJsonText(map)).toBe('{\n  "10": 1,\n  "2": 2\n}');
});

it('refuses JSON that nests too deep', () => {
  const json: unknown = JSON.parse(`${'['.repeat(5000)}${']'.repeat(5000)}`);
  expect(() => fromJsonValue(json)).toThrow('expected at most 100 levels of nesting, found more');
});

it('takes only own keys of an object, and what looks like a prototype as a key', () => {
  const value = fromJsonValue(JSON.parse('{"__proto__": {"a": 1}, "b": 2}'));
  expect(value).toEqual(
    new Map<string, Value>([
      ['__proto__', new Map([['a', 1]])],
      ['b', 2],
    ]),
  );
  const plain = toJsonValue(value);
  expect(Object.getPrototypeOf(plain)).toBe(Object.prototype);
  expect(JSON.stringify(plain)).toBe('{"__proto__":{"a":1},"b":2}');
});

test('a value survives toJSON and fromJSON', async () => {
  const expression = parseExpression('fromJSON(toJSON(a))');
  await assert(
    asyncProperty(jsonValue({ maxDepth: 5 }), async (json) => {
      const a = fromJsonValue(json);
      expect(await evaluate(expression, { contexts: new Map([['a', a]]), functions: new Map() })).toEqual(
        fromJsonValue(JSON.parse(JSON.stringify(json))),
      );
    }),
  );
});

test('the case of a name does not matter where only one name fits', () => {
  assert(
    property(string(), (name) => {
      const map = new Map([[name, 1]]);
      expect(findProperty(map, name)).toBe(1);
      expect(findProperty(map, foldCase(name))).toBe(1);
    }),
  );
});

test('folding keeps the length and folds once', () => {
  assert(
    property(string({ unit: 'binary' }), (text) => {
      expect(foldCase(text)).toHaveLength(text.length);
      expect(foldCase(foldCase(text))).toBe(foldCase(text));
    }),
  );
});

test('comparing is the same from both sides', () => {
  assert(
    property(jsonValue(), jsonValue(), (left, right) => {
      const [a, b] = [fromJsonValue(left), fromJsonValue(right)];
      expect(equals(a, b)).toBe(equals(b, a));
      const [ab, ba] = [compare(a, b), compare(b, a)];
      expect(Number.isNaN(ab) ? Number.isNaN(ba) : ab + ba === 0).toBe(true);
    }),
  );
});
