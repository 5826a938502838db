import { assert, asyncProperty, string } from 'fast-check';
import { expect, it, test } from 'vitest';
import type { YamlNode, YamlScalar } from '../workflow/yaml-node.ts';
import { parseYaml } from '../workflow/yaml-source.ts';
import { ExpressionError } from './expression-error.ts';
import { evaluateScalar, evaluateStringMap, evaluateTree, interpolate } from './interpolate.ts';
import { placesInScalar } from './place-in-scalar.ts';
import type { Scope } from './scope.ts';
import { fromJsonValue, toJsonValue, type Value } from './values.ts';

const scope: Scope = {
  contexts: new Map<string, Value>([
    ['a', fromJsonValue({ text: 'x', number: 1.5, list: [1, 2], object: { k: 'v', n: null }, yes: true, none: null })],
    ['hostile', fromJsonValue(JSON.parse('{"__proto__": 1, "constructor": 2}'))],
  ]),
  functions: new Map(),
};

function scalar(value: YamlScalar['value']): YamlScalar {
  return { kind: 'scalar', value, source: String(value), at: { file: 'w.yml', line: 1, column: 1 } };
}

/** The value of the key `v` of a YAML text. */
function nodeOf(text: string): YamlNode {
  const node = parseYaml(text, 'w.yml');
  const entry = node.kind === 'mapping' ? node.entries.find(({ key }) => key === 'v') : undefined;
  if (entry === undefined) throw new Error('no v');
  return entry.value;
}

async function placeOfError(text: string): Promise<string> {
  const node = nodeOf(text);
  try {
    await interpolate(node.kind === 'scalar' ? node : scalar(null), scope);
  } catch (error) {
    if (error instanceof ExpressionError) return `${error.at.line}:${error.at.column}: ${error.reason}`;
    throw error;
  }
  throw new Error('it was accepted');
}

test.each<[text: YamlScalar['value'], result: string]>([
  ['plain', 'plain'],
  ['', ''],
  [null, ''],
  [true, 'true'],
  [1.1, '1.1'],
  ['${{ a.text }}', 'x'],
  ['${{a.text}}', 'x'],
  ['<${{ a.text }}-${{ a.number }}>', '<x-1.5>'],
  ['${{ a.none }}${{ a.list }}${{ a.object }}', 'ArrayObject'],
  ['a }} b', 'a }} b'],
  ['$ {{ a }}', '$ {{ a }}'],
  ['$${{ a.text }}', '$x'],
  ["${{ '}}' }}", '}}'],
  ["${{ 'it''s }}' }}!", "it's }}!"],
  ["${{ '${{' }}", '${{'],
  ['${{\n a.text\n}}', 'x'],
  ["${{ format('{0}', '${{ a.text }}') }}", '${{ a.text }}'],
])('makes %j %j', async (text, result) => {
  expect(await interpolate(scalar(text), scope)).toBe(result);
});

test.each<[text: YamlScalar['value'], value: unknown]>([
  ['${{ a.list }}', [1, 2]],
  ['${{ a.number }}', 1.5],
  ['${{ a.yes }}', true],
  ['${{ a.none }}', null],
  [' ${{ a.yes }}', ' true'],
  ['${{ a.yes }}\n', 'true\n'],
  [12, 12],
  [null, null],
])('keeps the kind of %j', async (text, value) => {
  expect(toJsonValue(await evaluateScalar(scalar(text), scope))).toEqual(value);
});

test('a text without an expression stays as it is', async () => {
  await assert(
    asyncProperty(
      string().filter((text) => !text.includes('${{')),
      async (text) => {
        expect(await interpolate(scalar(text), scope)).toBe(text);
      },
    ),
  );
});

test.each<[title: string, yaml: string, place: string]>([
  ['plain', 'v: ${{ b }}', '1:8: expected one of the contexts that can be used here (a, hostile), found "b"'],
  ['plain over two lines', 'v: x\n  ${{ b }}', '2:7: expected one'],
  ['in single quotes', "v: 'it''s ${{ b }}'", '1:15: expected one'],
  ['in double quotes', 'v: "\\u0041\\t\\x41 ${{ b }}"', '1:22: expected one'],
  ['in double quotes with only escapes before', 'v: "\\t\\n\\u0020${{ b }}"', '1:19: expected one'],
  ['in double quotes over two lines', 'v: "x \\\n  y ${{ b }}"', '2:9: expected one'],
  ['literal', 'v: |\n  one\n    two ${{ b }}\n', '3:13: expected one'],
  ['literal with a number and a comment', 'v: |2- # b\n    ${{ b }}\n', '2:9: expected one'],
  ['literal after blank lines', 'v: |\n\n\n  x\n\n  ${{ b }}\n', '6:7: expected one'],
  ['folded', 'v: >-\n  one\n  two ${{ b }}\n', '3:11: expected one'],
  ['folded with CRLF', 'v: >-\r\n  one\r\n  two ${{ b }}\r\n', '3:11: expected one'],
  [
    'inside of the expression',
    "v: ${{ a.list && contains('x') }}",
    '1:18: expected 2 arguments for contains(), found 1',
  ],
  ['over several lines', 'v: |\n  ${{ a.list &&\n    b }}\n', '3:5: expected one'],
  ['the second of two', 'v: ${{ a }} ${{ b }}', '1:17: expected one'],
  ['not closed', 'v: x ${{ a', '1:6: expected a closing "}}", found the end'],
  ['not closed because of a quote', "v: x ${{ 'a }}", '1:6: expected a closing "}}", found the end'],
  ['empty', 'v: ${{ }}', '1:7: expected an expression, found nothing'],
])('says where it is wrong in a scalar that is %s', async (_title, yaml, place) => {
  expect(await placeOfError(yaml)).toContain(place);
});

it('finds the place of every character that is not folded', () => {
  const text = 'v: |\n  ab\n   cd\n\n  ef\n';
  const node = nodeOf(text);
  const places = node.kind === 'scalar' ? placesInScalar(node) : undefined;
  const value = node.kind === 'scalar' ? String(node.value) : '';
  for (const letter of 'abcdef') {
    const at = places?.(value.indexOf(letter));
    expect(text.split('\n')[(at?.line ?? 0) - 1]?.[(at?.column ?? 0) - 1]).toBe(letter);
  }
});

it('has the expression, the place and the reason in its message', async () => {
  await expect(interpolate(scalar('x ${{ github.foo( }}'), scope)).rejects.toThrow(
    'w.yml:1:17: expression "github.foo(": expected an operator or the end, found "("',
  );
});

test.each<[title: string, yaml: string, value: unknown]>([
  ['a list', 'v: [1, "${{ a.text }}", "${{ a.object }}"]', [1, 'x', { k: 'v', n: null }]],
  ['lists in a list', 'v: [0, "${{ a.list }}", [3, 4]]', [0, 1, 2, [3, 4]]],
  ['a mapping', 'v: {x: "${{ a.list }}", y: {z: null}}', { x: [1, 2], y: { z: null } }],
  ['keys', 'v: {"${{ a.text }}y": 1}', { xy: 1 }],
  ['inserted members', 'v: {b: 1, "${{ insert }}": "${{ a.object }}", c: 2}', { b: 1, k: 'v', n: null, c: 2 }],
  ['an inserted mapping', 'v: {"${{insert}}": {k: "${{ a.text }}"}}', { k: 'x' }],
  ['one expression', 'v: ${{ a.object }}', { k: 'v', n: null }],
])('evaluates %s', async (_title, yaml, value) => {
  expect(toJsonValue(await evaluateTree(nodeOf(yaml), scope))).toEqual(value);
});

it('refuses to insert what is no object', async () => {
  await expect(evaluateTree(nodeOf('v: {"${{ insert }}": 1}'), scope)).rejects.toThrow(
    'w.yml:1:22: expression "insert": expected an object to insert, found "1"',
  );
});

it('keeps hostile keys in a tree', async () => {
  const value = await evaluateTree(nodeOf('v: {__proto__: 1, "${{ insert }}": "${{ hostile }}"}'), scope);
  expect(value).toEqual(
    new Map([
      ['__proto__', 1],
      ['constructor', 2],
    ]),
  );
});

it('evaluates a list of 300 000 items into a list', async () => {
  const list = Array.from({ length: 300_000 }, (_, index) => index);
  const big = { contexts: new Map<string, Value>([['a', list]]), functions: new Map() };
  expect(await evaluateTree(nodeOf('v: ["${{ a }}"]'), big)).toHaveLength(300_000);
});

test.each<[title: string, yaml: string, texts: Record<string, string>]>([
  [
    'texts',
    'v: {A: 1.10, B: true, C: null, D: "${{ a.number }}", E: x}',
    { A: '1.1', B: 'true', C: '', D: '1.5', E: 'x' },
  ],
  ['one expression', 'v: ${{ a.object }}', { k: 'v', n: '' }],
  ['nothing', 'v: ${{ a.none }}', {}],
  ['an empty mapping', 'v: {}', {}],
])('makes texts of %s', async (_title, yaml, texts) => {
  expect(Object.fromEntries(await evaluateStringMap(nodeOf(yaml), scope))).toEqual(texts);
});

it('makes no texts where there is no node', async () => {
  expect((await evaluateStringMap(undefined, scope)).size).toBe(0);
});

test.each<[yaml: string, message: string]>([
  ['v: ${{ a.list }}', 'w.yml:1:4: expression "${{ a.list }}": expected an object or a mapping, found a list'],
  ['v: ${{ a.text }}', 'w.yml:1:4: expression "${{ a.text }}": expected an object or a mapping, found "string"'],
])('refuses %s as a map of texts', async (yaml, message) => {
  await expect(evaluateStringMap(nodeOf(yaml), scope)).rejects.toThrow(message);
});

it('limits what one text may become', async () => {
  const big = { contexts: new Map<string, Value>([['a', 'x'.repeat(8_000_000)]]), functions: new Map() };
  const text = Array.from({ length: 5 }, () => '${{ a }}').join('');
  await expect(interpolate(scalar(text), big)).rejects.toThrow(
    'expected a text of at most 33554432 characters, found more',
  );
});
