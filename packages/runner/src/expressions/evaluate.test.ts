import { expect, it, test } from 'vitest';
import { evaluate } from './evaluate.ts';
import { ExpressionError } from './expression-error.ts';
import { parseExpression } from './parse.ts';
import type { Scope } from './scope.ts';
import { fromJsonValue, toJsonValue, type Value } from './values.ts';

const github = fromJsonValue(
  JSON.parse(`{
    "ref": "refs/heads/main", "Sha": "abc", "SHA": "upper", "event_name": "push", "number": 3, "zero": 0, "empty": "",
    "event": {"commits": [{"id": "a", "author": {"name": "A"}}, {"id": "b"}, {"other": 1}], "draft": false, "n": null},
    "labels": [{"name": "bug", "tags": ["x", "y"]}, {"name": "ui", "tags": ["z"]}],
    "matrixed": [[1, 2], [3, 4]], "object": {"a": {"v": 1}, "b": {"v": 2}}, "list": ["One", "two", 3, null, true],
    "__proto__": {"polluted": true}, "constructor": "c", "toString": "t", "a-b": "dash"
  }`),
);
const scope: Scope = {
  contexts: new Map<string, Value>([
    ['github', github],
    ['env', new Map([['PATH', '/bin']])],
    ['secrets', new Map()],
  ]),
  functions: new Map([
    ['success', { minArguments: 0, maxArguments: 0, call: () => true }],
    [
      'hashfiles',
      {
        minArguments: 1,
        maxArguments: 255,
        call: async (args: readonly Value[]) => Promise.resolve(`#${args.length}`),
      },
    ],
    [
      'broken',
      {
        minArguments: 0,
        maxArguments: 0,
        call: () => {
          throw new Error('expected a mood, found none');
        },
      },
    ],
  ]),
};

async function valueOf(text: string): Promise<unknown> {
  return toJsonValue(await evaluate(parseExpression(text), scope));
}

async function reasonOf(text: string): Promise<string> {
  try {
    await valueOf(text);
  } catch (error) {
    if (error instanceof ExpressionError) return `${error.at.column}: ${error.reason}`;
    throw error;
  }
  throw new Error('it was accepted');
}

type Row = [expression: string, value: unknown];

const literals: Row[] = [
  ['null', null],
  ['true', true],
  ['false', false],
  ['711', 711],
  ['-9.2', -9.2],
  ['+5', 5],
  ['.5', 0.5],
  ['0xff', 255],
  ['0o17', 15],
  ['-2.99e-2', -0.0299],
  ['1e3', 1000],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['NaN', Number.NaN],
  ["''", ''],
  ["'text'", 'text'],
  ["''''", "'"],
  ["'it''s Bob''s'", "it's Bob's"],
  ["'a\nb'", 'a\nb'],
  ["'${{ }}'", '${{ }}'],
  ["' {\"}] '", ' {"}] '],
  ['  true\n', true],
  ['(((1)))', 1],
];

const operators: Row[] = [
  ['!true', false],
  ['!null', true],
  ["!''", true],
  ["!'false'", false],
  ['!0', true],
  ['!-0', true],
  ['!NaN', true],
  ['!github', false],
  ['!!1', true],
  ["!!fromJSON('[]')", true],
  ['true && 1', 1],
  ["'' || 'b'", 'b'],
  ["'a' || 'b'", 'a'],
  ["false || null || ''", ''],
  ["1 && 'x' && null", null],
  ['true && false || true', true],
  ['true || false && false', true],
  ["1 == 1 && 'yes' || 'no'", 'yes'],
  ["1 == 2 && 'yes' || 'no'", 'no'],
  ['!(1 == 2)', true],
  ['!1 == 2', false],
  ['1 < 2 == true', true],
];

const comparisons: Row[] = [
  ["'a' == 'A'", true],
  ["'a' != 'A'", false],
  ["'ß' == 'SS'", false],
  ["'ı' == 'I'", false],
  ["'É' == 'é'", true],
  ["'𐐨' == '𐐀'", true],
  ["'a' < 'B'", true],
  ["'b' > 'A'", true],
  ["'a' <= 'A'", true],
  ["'a' >= 'A'", true],
  ["'_' > 'a'", true],
  ['1 == 1.0', true],
  ["1 == '1'", true],
  ["'1' == 1", true],
  ["1 == ' 1 '", true],
  ["0 == ''", true],
  ["0 == ' '", true],
  ["255 == '0xff'", true],
  ["8 == '0o10'", true],
  ["2 == '0b10'", false],
  ["1000 == '1e3'", true],
  ["1 == 'one'", false],
  ["1 != 'one'", true],
  ["1 < 'one'", false],
  ["1 >= 'one'", false],
  ['null == null', true],
  ['null != null', false],
  ['null >= null', true],
  ['null <= null', true],
  ['null > null', false],
  ['null == 0', true],
  ["null == ''", true],
  ["null == 'null'", false],
  ['null == false', true],
  ['true == 1', true],
  ["true == 'true'", false],
  ["true == '1'", true],
  ["false == ''", true],
  ['true > false', true],
  ['false < true', true],
  ['true >= true', true],
  ['NaN == NaN', false],
  ['NaN != NaN', true],
  ['NaN < 1', false],
  ['NaN >= NaN', false],
  ['Infinity > 1', true],
  ['Infinity == Infinity', true],
  ['github.event == github.event', true],
  ['github.event != github.event', false],
  ["fromJSON('{}') == fromJSON('{}')", false],
  ["fromJSON('[]') == fromJSON('[]')", false],
  ["fromJSON('{}') == null", false],
  ["fromJSON('[]') == ''", false],
  ["fromJSON('[]') == 'Array'", false],
  ['github > 1', false],
  ['github >= github', true],
  ['github.missing == github.absent', true],
  ['github.missing != github.absent', false],
  ['github.event.n == null', true],
  ['10 > 9', true],
  ["'10' > '9'", false],
  ["'10' > 9", true],
];

const members: Row[] = [
  ['github.ref', 'refs/heads/main'],
  ["github['ref']", 'refs/heads/main'],
  ['GitHub.REF', 'refs/heads/main'],
  ['github.Sha', 'abc'],
  ['github.SHA', 'upper'],
  ['github.sha', 'abc'],
  ['github.a-b', 'dash'],
  ['github.missing', null],
  ['github.missing.deeper', null],
  ['github.ref.length', null],
  ['github.event.draft', false],
  ["github['event']['commits'][0]['id']", 'a'],
  ['github.event.commits[1].id', 'b'],
  ['github.event.commits[3]', null],
  ['github.event.commits[-1]', null],
  ['github.event.commits[1.9].id', 'b'],
  ["github.event.commits['1'].id", 'b'],
  ["github.event.commits['x']", null],
  ['github.event.commits[true].id', 'b'],
  ['github.event.commits[null].id', 'a'],
  ['github.event.commits[NaN]', null],
  ['github.event.commits[Infinity]', null],
  ['github[github.event]', null],
  ['github.list[github.list]', null],
  ['github.event.commits.id', null],
  ['github.true', null],
  ['env.path', '/bin'],
  ["env[format('PA{0}', 'TH')]", '/bin'],
  ['(github.event).draft', false],
  ["fromJSON('[1,[2]]')[1][0]", 2],
  ['fromJSON(\'{"a":1}\').A', 1],
  ['fromJSON(\'{"a":1,"A":2}\').A', 2],
  ['fromJSON(\'{"1":"one"}\')[1]', 'one'],
  ['github.__proto__', { polluted: true }],
  ['github.__proto__.polluted', true],
  ['github.constructor', 'c'],
  ['github.toString', 't'],
  ['env.__proto__', null],
  ['env.constructor', null],
  ['env.hasOwnProperty', null],
  ['github.list.length', null],
];

const filters: Row[] = [
  ['github.event.commits.*.id', ['a', 'b']],
  ["github.event.commits[*]['id']", ['a', 'b']],
  ['github.event.commits.*.author.name', ['A']],
  ['github.labels.*.tags', [['x', 'y'], ['z']]],
  ['github.labels.*.tags.*', ['x', 'y', 'z']],
  ['github.labels.*.tags[0]', ['x', 'z']],
  ['github.labels.*.tags[1]', ['y']],
  ['github.labels.*.missing', []],
  [
    'github.matrixed.*',
    [
      [1, 2],
      [3, 4],
    ],
  ],
  ['github.matrixed.*.*', [1, 2, 3, 4]],
  ['github.matrixed.*[1]', [2, 4]],
  ['github.object.*', [{ v: 1 }, { v: 2 }]],
  ['github.object.*.v', [1, 2]],
  ['github.missing.*', []],
  ['github.missing.*.x', []],
  ['github.ref.*', []],
  ['(github.labels.*).name', ['bug', 'ui']],
  ['(github.labels.* || github).name', ['bug', 'ui']],
  ["contains(github.labels.*.name, 'BUG')", true],
  ["contains(github.labels.*.name, 'none')", false],
  ["join(github.labels.*.name, '+')", 'bug+ui'],
  ['github.labels.*.name == github.labels.*.name', false],
];

const functions: Row[] = [
  ["contains('Hello world', 'LLO')", true],
  ["contains('Hello world', '')", true],
  ["contains('', 'x')", false],
  ["contains('x1y', 1)", true],
  ["contains(true, 'RU')", true],
  ["contains(null, '')", true],
  ["contains(github.list, 'one')", true],
  ["contains(github.list, 'TWO')", true],
  ['contains(github.list, 3)', true],
  ["contains(github.list, '3')", true],
  ["contains(github.list, '')", true],
  ['contains(github.list, null)', true],
  ['contains(github.list, 4)', false],
  ["contains(github.list, 'on')", false],
  ["contains(fromJSON('[]'), null)", false],
  ["contains(github.event, 'commits')", false],
  ["contains('Object', github.event)", false],
  ['contains(github.labels, github.labels[0])', true],
  ["contains(fromJSON('[true]'), 'x')", false],
  ["contains(fromJSON('[1]'), true)", true],
  ["startsWith('Hello', 'HE')", true],
  ["startsWith('Hello', '')", true],
  ["startsWith('He', 'Hello')", false],
  ['startsWith(123, 12)', true],
  ["startsWith(github.list, 'A')", false],
  ["startsWith('x', github.list)", false],
  ["endsWith('Hello', 'LO')", true],
  ["endsWith('Hello', '')", true],
  ["endsWith('lo', 'Hello')", false],
  ['endsWith(123, 23)', true],
  ["endsWith(github.event, 't')", false],
  ["format('Hello {0} {1} {2}', 'Mona', 'the', 'Octocat')", 'Hello Mona the Octocat'],
  ["format('{{Hello {0} {1}}}', 'a', 'b')", '{Hello a b}'],
  ["format('{0}{0}{1}', 'a', 'b')", 'aab'],
  ["format('{{0}}', 'a')", '{0}'],
  ["format('{{{0}}}', 'a')", '{a}'],
  ["format('{0}', '{1}')", '{1}'],
  ["format('plain')", 'plain'],
  ["format('')", ''],
  ["format('{0} {1} {2} {3}', null, true, 1.50, github.list)", ' true 1.5 Array'],
  ["format('{0}', github)", 'Object'],
  ["format('{01}', 'a', 'b')", 'b'],
  ['join(fromJSON(\'[1,"a",null,true]\'))', '1,a,,true'],
  ["join(fromJSON('[1,2]'), '')", '12'],
  ["join(fromJSON('[1,2]'), ' - ')", '1 - 2'],
  ["join(fromJSON('[1,2]'), null)", '12'],
  ["join(fromJSON('[[1],{}]'))", 'Array,Object'],
  ["join('text', ',')", 'text'],
  ['join(null)', ''],
  ['join(github)', ''],
  ["join(fromJSON('[]'))", ''],
  ["toJSON('a\"b')", '"a\\"b"'],
  ["toJSON('<&>')", '"<&>"'],
  ['toJSON(null)', 'null'],
  ['toJSON(1.50)', '1.5'],
  ['toJSON(NaN)', 'null'],
  ['toJSON(true)', 'true'],
  ["toJSON(fromJSON('[]'))", '[]'],
  ["toJSON(fromJSON('{}'))", '{}'],
  ['toJSON(fromJSON(\'[1,{"b":[2]}]\'))', '[\n  1,\n  {\n    "b": [\n      2\n    ]\n  }\n]'],
  ['toJSON(fromJSON(\'{"__proto__":{"x":1}}\'))', '{\n  "__proto__": {\n    "x": 1\n  }\n}'],
  ["fromJSON('1')", 1],
  ['fromJSON(\'"a"\')', 'a'],
  ["fromJSON('null')", null],
  ['fromJSON(true)', true],
  ["fromJSON(' [1, 2] ')", [1, 2]],
  ['fromJSON(\'{"a": {"b": [null]}}\')', { a: { b: [null] } }],
  ['fromJSON(toJSON(github.labels))[0].name', 'bug'],
  ["case(true, 'first', 'default')", 'first'],
  ["case(false, 'first', 'default')", 'default'],
  ["case(false, 'a', true, 'b', 'c')", 'b'],
  ["case(true, 'a', true, 'b', 'c')", 'a'],
  ["case(1 == 1, 'a', fromJSON('broken'), 'b', 'c')", 'a'],
  ["case(false, fromJSON('broken'), 'c')", 'c'],
  ["case(github.ref == 'refs/heads/main', github.number, 0)", 3],
  ["CONTAINS('a', 'A')", true],
  ["FromJson(ToJson('x'))", 'x'],
  ['success()', true],
  ['SUCCESS()', true],
  ["hashFiles('a', 'b')", '#2'],
];

const numbers: Row[] = [
  ["format('{0}', 0)", '0'],
  ["format('{0}', -0)", '0'],
  ["format('{0}', 1.10)", '1.1'],
  ["format('{0}', 1e3)", '1000'],
  ["format('{0}', 0.1)", '0.1'],
  ["format('{0}', 0.30000000000000004)", '0.3'],
  ["format('{0}', -1.5)", '-1.5'],
  ["format('{0}', 123456789012)", '123456789012'],
  ["format('{0}', 12345678901234567890)", '12345678901234567000'],
  ["format('{0}', 1e21)", '1e+21'],
  ["format('{0}', 0xff)", '255'],
  ["format('{0}', NaN)", 'NaN'],
  ["format('{0}', Infinity)", 'Infinity'],
  ["format('{0}', -Infinity)", '-Infinity'],
  ["format('{0}', 1e-16)", '0'],
];

test.each([...literals, ...operators, ...comparisons, ...members, ...filters, ...functions, ...numbers])(
  '%s is %j',
  async (text, value) => {
    expect(await valueOf(text)).toEqual(value);
  },
);

test.each<[expression: string, reason: string]>([
  [
    'githbu.ref',
    '1: expected one of the contexts that can be used here (env, github, secrets), found "githbu"; did you mean "github"?',
  ],
  ['true && steps.a', '9: expected one of the contexts that can be used here (env, github, secrets), found "steps"'],
  ['nothing()', '1: expected a function that can be used here, found "nothing"'],
  ["contians('a', 'b')", '1: expected a function that can be used here, found "contians"; did you mean "contains"?'],
  ['constructor()', '1: expected a function that can be used here, found "constructor"'],
  ['__proto__()', '1: expected a function that can be used here, found "__proto__"'],
  ["toString('x')", '1: expected a function that can be used here, found "toString"'],
  ['constructor', '1: expected one of the contexts that can be used here (env, github, secrets), found "constructor"'],
  ['success(1)', '1: expected 0 arguments for success(), found 1'],
  ['hashFiles()', '1: expected at least 1 argument for hashFiles(), found 0'],
  ['1 == broken()', '6: expected a mood, found none'],
  ["fromJSON('')", '1: expected JSON for fromJSON(), found an empty text'],
  [
    "fromJSON('{a')",
    '1: expected JSON for fromJSON(), found a text of 2 characters that is none, wrong at character 2',
  ],
  ["fromJSON('hunter2')", '1: expected JSON for fromJSON(), found a text of 7 characters that is none'],
  ["fromJSON('{')", '1: expected JSON for fromJSON(), found a text of 1 character that is none, wrong at character 2'],
  ["format('{0} {1}', 'a')", '1: expected a value for {1} in format(), found 1 values'],
  ["format('{')", '1: expected "{{", "}}" or "{0}" in the text for format(), found "{" at character 1'],
  ["format('a }')", '1: expected "{{", "}}" or "{0}" in the text for format(), found "}" at character 3'],
  ["format('{x}', 1)", '1: expected "{{", "}}" or "{0}" in the text for format(), found "{" at character 1'],
  ["format('{99999999999999999999}', 1)", '1: expected a value for {99999999999999999999} in format(), found 1 values'],
  ["case('x', 1, 2)", '1: expected true or false as argument 1 of case(), found another kind of value'],
  ['case(false, 1, null, 2, 3)', '1: expected true or false as argument 3 of case(), found another kind of value'],
])('%s fails: %s', async (text, reason) => {
  expect(await reasonOf(text)).toBe(reason);
});

it('does not evaluate what && and || leave out', async () => {
  expect(await valueOf('false && broken()')).toBe(false);
  expect(await valueOf('true || broken()')).toBe(true);
});

it('keeps the cause of an error', async () => {
  const failing = evaluate(parseExpression('broken()'), scope);
  await expect(failing).rejects.toMatchObject({ cause: { message: 'expected a mood, found none' } });
});

it('never says what a text was that came from a context', async () => {
  expect(await reasonOf('fromJSON(env.PATH)')).not.toContain('bin');
  expect(await reasonOf('format(env.PATH, fromJSON(env.PATH))')).not.toContain('bin');
});
