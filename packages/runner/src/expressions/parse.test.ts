import { anything, assert, asyncProperty, constantFrom, array, oneof, string } from 'fast-check';
import { expect, it, test } from 'vitest';
import { evaluate } from './evaluate.ts';
import { ExpressionError } from './expression-error.ts';
import { walkExpression } from './expression.ts';
import { parseExpression } from './parse.ts';
import { fromJsonValue } from './values.ts';

function failure(text: string): string {
  try {
    parseExpression(text);
  } catch (error) {
    if (error instanceof ExpressionError) return `${error.at.column}: ${error.reason}`;
    throw error;
  }
  throw new Error('it was accepted');
}

test.each<[expression: string, reason: string]>([
  ['', '1: expected an expression, found nothing'],
  [' \n ', '1: expected an expression, found nothing'],
  ['github.foo(', '11: expected an operator or the end, found "("'],
  ['foo(', '5: expected a value, found the end'],
  ['foo(1', '6: expected an operator or ")", found the end'],
  ['foo(1 2)', '7: expected an operator or ")", found "2"'],
  ["contains('a', )", '15: expected another argument after ",", found ")"'],
  ['foo(,1)', '5: expected a value, found ","'],
  ['(1', '3: expected an operator or ")", found the end'],
  ['1)', '2: expected an operator or the end, found ")"'],
  ['()', '2: expected a value, found ")"'],
  ['a[1', '4: expected an operator or "]", found the end'],
  ['a[]', '3: expected a value, found "]"'],
  ['a.', '3: expected a name or "*" after ".", found the end'],
  ['a.1', '3: expected a name or "*" after ".", found "1"'],
  ['a..b', '3: expected a name, a value or an operator, found ".b"'],
  ['1 ==', '5: expected a value, found the end'],
  ['== 1', '1: expected a value, found "=="'],
  ['!', '2: expected a value, found the end'],
  ['a b', '3: expected an operator or the end, found "b"'],
  ["'a", "1: expected a closing ', found the end"],
  ["1 == 'it''s", "6: expected a closing ', found the end"],
  ['a == "b"', '6: expected single quotes around a text, found double quotes'],
  ['a = b', '3: expected "==", found "="'],
  ['a & b', '3: expected "&&", found "&"'],
  ['a | b', '3: expected "||", found "|"'],
  ['1 + 2', '3: expected a name, a value or an operator, found "+"'],
  ['a ? b : c', '3: expected a name, a value or an operator, found "?"'],
  ['$a', '1: expected a name, a value or an operator, found "$a"'],
  ['1x', '1: expected a name, a value or an operator, found "1x"'],
  ["'a'.b", '4: expected a name, a value or an operator, found ".b"'],
  ["'a'[0]", '4: expected an operator or the end, found "["'],
  ["contains('a')", '1: expected 2 arguments for contains(), found 1'],
  ["startsWith('a', 'b', 'c')", '1: expected 2 arguments for startsWith(), found 3'],
  ['1 && format()', '6: expected at least 1 argument for format(), found 0'],
  ['join(1, 2, 3)', '1: expected at most 2 arguments for join(), found 3'],
  ['toJSON()', '1: expected 1 argument for toJSON(), found 0'],
  ['case(true, 1)', '1: expected at least 3 arguments for case(), found 2'],
  ['case(true, 1, true, 2)', '1: expected pairs and a default for case(), found 4 arguments'],
])('refuses %j: %s', (text, reason) => {
  expect(failure(text)).toBe(reason);
});

test.each<[title: string, expression: string]>([
  ['brackets', `${'('.repeat(300)}1${')'.repeat(300)}`],
  ['negations', `${'!'.repeat(20_000)}1`],
  ['comparisons', Array.from({ length: 5000 }, () => '1').join('==')],
  ['indexes', `a${'[a'.repeat(500)}${']'.repeat(500)}`],
  ['members', `a${'.b'.repeat(500)}`],
  ['calls', `${'format('.repeat(300)}1${')'.repeat(300)}`],
])('refuses too deep %s', (_title, expression) => {
  expect(failure(expression)).toMatch(/expected at most 50 (levels of nesting|times "!"), found more/);
});

it('refuses a text that is too long', () => {
  expect(failure(`'${'x'.repeat(21_000)}'`)).toBe('1: expected at most 21000 characters, found 21002');
});

it('takes wide expressions', () => {
  const wide = parseExpression(Array.from({ length: 4000 }, () => 'a').join('||'));
  expect([...walkExpression(wide.root)]).toHaveLength(4001);
});

it('gives every node its place in the text, over several lines as well', () => {
  const { root } = parseExpression(" a == 'x\ny' &&\n  contains(b, c.d)");
  const places = [...walkExpression(root)].map((node) => `${node.kind}@${node.offset}`);
  expect(places).toEqual([
    'and@12',
    'compare@3',
    'context@1',
    'literal@6',
    'call@17',
    'context@26',
    'index@29',
    'context@29',
    'literal@31',
  ]);
});

const words = constantFrom(
  "'a'",
  "'",
  "''",
  '1',
  '(',
  ')',
  '[',
  ']',
  '.',
  '*',
  ',',
  '!',
  '==',
  '<',
  '&&',
  '||',
  ' ',
  '\n',
  'a',
  'constructor',
  'format',
  'toJSON',
  'fromJSON',
  'case',
  'contains',
  'join',
  '{0}',
  'null',
  'true',
);

test('nothing but an ExpressionError comes out of any text and any data', async () => {
  const texts = oneof(
    string(),
    array(words, { maxLength: 25 }).map((each) => each.join('')),
  );
  await assert(
    asyncProperty(texts, anything({ withNullPrototype: true }), async (text, data) => {
      let thrown: unknown;
      try {
        const a = fromJsonValue(data);
        await evaluate(parseExpression(text), { contexts: new Map([['a', a]]), functions: new Map() });
      } catch (error) {
        thrown = error;
      }
      expect(thrown === undefined || thrown instanceof ExpressionError).toBe(true);
    }),
    { numRuns: 3000 },
  );
});
