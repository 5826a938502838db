import { expect, it, test } from 'vitest';
import { evaluate } from './evaluate.ts';
import { parseExpression } from './parse.ts';
import type { Value } from './values.ts';

async function run(text: string, a: Value): Promise<Value> {
  return evaluate(parseExpression(text), { contexts: new Map([['a', a]]), functions: new Map() });
}

const many = Array.from({ length: 300_000 }, (_, index) => index);
const objects = many.map((index) => new Map<string, Value>([['id', index]]));

it('goes through lists of 300 000 items', async () => {
  expect(await run('contains(a.*.id, 299999)', objects)).toBe(true);
  expect(await run('a[299999].id', objects)).toBe(299_999);
  expect(await run('fromJSON(toJSON(a))[299999]', many)).toBe(299_999);
  expect(await run("join(a, ',')", many)).toBe(many.join(','));
});

test.each<[title: string, expression: string, a: Value]>([
  ['format', "format('{0}{0}{0}{0}{0}{0}{0}{0}', a)", 'x'.repeat(8_000_000)],
  ['join', "join(fromJSON('[1,2,3,4,5,6,7]'), a)", 'x'.repeat(8_000_000)],
  ['toJSON', 'toJSON(a)', '\0'.repeat(8_000_000)],
  ['toJSON of many', 'toJSON(a)', Array.from({ length: 200 }, () => 'x'.repeat(200_000))],
  ['several together', Array.from({ length: 9 }, () => "format('{0}', a) == ''").join(' || '), 'x'.repeat(8_000_000)],
])('limits what %s makes', async (_title, expression, a) => {
  await expect(run(expression, a)).rejects.toThrow(/expected (results|JSON) of at most \d+ characters, found more/);
});

it('searches a text for a long one in linear time', async () => {
  const text = 'a'.repeat(4_000_000);
  const needle = `b${'a'.repeat(1_000_000)}`;
  expect(
    await run(
      "contains(a.text, a.needle) || contains(a.text, format('x{0}', a.needle))",
      new Map([
        ['text', text],
        ['needle', needle],
      ]),
    ),
  ).toBe(false);
  expect(
    await run(
      'contains(a.text, a.needle)',
      new Map([
        ['text', `${text}${needle}a`],
        ['needle', needle],
      ]),
    ),
  ).toBe(true);
});

it('converts a long text once when it looks for it in a list of numbers', async () => {
  const value = new Map<string, Value>([
    ['list', many],
    ['item', `${' '.repeat(4_000_000)}7`],
  ]);
  expect(await run('contains(a.list, a.item)', value)).toBe(true);
});
