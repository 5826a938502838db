import { array, assert, constantFrom, oneof, property, string } from 'fast-check';
import { expect, it, test } from 'vitest';
import { UserError } from '../user-error.ts';
import type { YamlNode } from './yaml-node.ts';
import { parseYaml, yamlLimitChars } from './yaml-source.ts';

/** The node without places, for comparing. */
function plain(node: YamlNode): unknown {
  if (node.kind === 'scalar') return node.value;
  if (node.kind === 'sequence') return node.items.map(plain);
  return Object.fromEntries(node.entries.map(({ key, value }) => [key, plain(value)]));
}

function failure(text: string): UserError {
  try {
    parseYaml(text, 'w.yml');
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  throw new Error('it was accepted');
}

test.each<[title: string, text: string, value: unknown]>([
  ['an empty text', '', null],
  ['only a comment', '# hi\n', null],
  ['keys that other YAML versions take for booleans', 'on: yes\nno: off\n', { on: 'yes', no: 'off' }],
  ['numbers as keys', '1: a\n1.10: b\ntrue: c\n', { '1': 'a', '1.10': 'b', true: 'c' }],
  ['core scalars', '[1, 0x10, 0o17, 1.5, true, null, ~, "1", text]', [1, 16, 15, 1.5, true, null, null, '1', 'text']],
  ['a byte order mark', '\uFEFFa: 1\n', { a: 1 }],
  ['CRLF', 'a: |\r\n  x\r\n  y\r\nb: 2\r\n', { a: 'x\ny\n', b: 2 }],
  ['aliases', 'a: &x {k: 1}\nb: *x\n', { a: { k: 1 }, b: { k: 1 } }],
  ['an alias of an earlier anchor that is set again', 'a: &x 1\nb: *x\nc: &x 2\nd: *x\n', { a: 1, b: 1, c: 2, d: 2 }],
  ['a merge key', 'a: &x {k: 1, l: 2}\nb: {<<: *x, k: 3}\n', { a: { k: 1, l: 2 }, b: { k: 3, l: 2 } }],
  [
    'a list of merged mappings, the first wins',
    'a: &x {k: 1}\nb: &y {k: 2, m: 3}\nc: {<<: [*x, *y]}\n',
    { a: { k: 1 }, b: { k: 2, m: 3 }, c: { k: 1, m: 3 } },
  ],
  ['a quoted << as an ordinary key', '"<<": 1\n', { '<<': 1 }],
  ['hostile keys', 'constructor: 1\ntoString: 2\n', { constructor: 1, toString: 2 }],
  ['an alias as a key', 'a: &x name\n*x : 1\n', { a: 'name', name: 1 }],
  ['an explicit text', 'a: !!str 12\n', { a: '12' }],
])('reads %s', (_title, text, value) => {
  expect(plain(parseYaml(text, 'w.yml'))).toEqual(value);
});

it('keeps __proto__ as a key', () => {
  const node = parseYaml('__proto__: {a: 1}\n', 'w.yml');
  expect(node.kind === 'mapping' && node.entries.map(({ key }) => key)).toEqual(['__proto__']);
});

it('gives each value its place and its source', () => {
  const node = parseYaml('a:\n  b: [x, "y"]\n  c: |2\n     z\nd: 0x10\n', 'w.yml');
  expect(node).toMatchObject({
    kind: 'mapping',
    entries: [
      {
        key: 'a',
        keyAt: { file: 'w.yml', line: 1, column: 1 },
        value: {
          entries: [
            {
              keyAt: { line: 2, column: 3 },
              value: {
                at: { line: 2, column: 6 },
                items: [{ at: { line: 2, column: 7 } }, { source: '"y"', at: { line: 2, column: 10 } }],
              },
            },
            { value: { source: '|2\n     z\n', at: { line: 3, column: 6 } } },
          ],
        },
      },
      { value: { value: 16, source: '0x10', at: { line: 5, column: 4 } } },
    ],
  });
});

test.each<[title: string, text: string, messages: readonly string[]]>([
  ['a key twice', 'a: 1\nb: 2\na: 3\n', ['3:1: expected each key once, found "a" again; it stands in line 1 already']],
  [
    'a key twice, once quoted',
    '1: a\n"1": b\n',
    ['2:1: expected each key once, found "1" again; it stands in line 1 already'],
  ],
  ['an unknown alias', 'a: *x\n', ['1:4: expected the name of an anchor before this place, found "*x"']],
  [
    'an alias in itself',
    'a: &x [*x]\n',
    ['1:8: expected a finished value, found the alias "*x" inside of what it stands for'],
  ],
  ['a merged list of texts', 'a: {<<: [b]}\n', ['1:9: expected a mapping or a list of mappings after "<<"']],
  ['a list as a key', '? [a]\n: b\n', ['1:3: expected a text as a key, found a sequence']],
  ['two documents', 'a: 1\n---\nb: 2\n', ['2:1: expected one document, found a second']],
  ['several errors at once', 'a: *x\nb: *y\n', ['1:4: expected the name', '2:4: expected the name']],
  ['a tab as indentation', 'a:\n\tb: 1\n', ['2:1: tabs are not allowed as indentation']],
  ['an unclosed quote', 'a: "b\n', ['2:1: missing closing "quote']],
  ['an unclosed list', 'a: [b\n', ['2:1: ']],
])('refuses %s', (_title, text, messages) => {
  const error = failure(text);
  expect(error.code).toBe('FRR301');
  const found = error.message.split('\n');
  for (const [index, message] of messages.entries()) expect(found[index]).toContain(`w.yml:${message}`);
});

test.each<[title: string, text: string, message: string]>([
  ['a document that is too long', '#'.repeat(yamlLimitChars + 1), 'expected at most 1048576 characters'],
  ['nested lists', '['.repeat(300) + ']'.repeat(300), 'expected at most 100 levels'],
  ['lists nested beyond what the parser reads', '['.repeat(100_000), 'expected less nesting'],
  ['compact lists', `${'- '.repeat(50_000)}a`, 'expected less nesting'],
  ['many values', `[${'1,'.repeat(100_001)}]`, 'expected at most 100000 values'],
  [
    'an alias bomb',
    `a0: &a0 [x,x,x,x,x,x,x,x,x]\n${Array.from({ length: 20 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array.from({ length: 9 }, () => `*a${i}`).join()}]`).join('\n')}\n`,
    'expected at most 100000 values with all aliases expanded',
  ],
  [
    'a bomb of merge keys',
    `a0: &a0 {k: [1,1,1,1,1,1,1,1]}\n${Array.from({ length: 30 }, (_, i) => `a${i + 1}: &a${i + 1} {<<: *a${i}, x: *a${i}, y: *a${i}}`).join('\n')}\n`,
    'expected at most 100000 values with all aliases expanded',
  ],
])('refuses %s as too large', (_title, text, message) => {
  const error = failure(text);
  expect(error.code).toBe('FRR303');
  expect(error.message).toContain(message);
});

it('reads many keys and many aliases in linear time', () => {
  const keys = Array.from({ length: 20_000 }, (_, index) => `k${index}: *a`).join('\n');
  const node = parseYaml(`a: &a x\n${keys}\n`, 'w.yml');
  expect(node.kind === 'mapping' && node.entries.length).toBe(20_001);
});

it('lists at most 50 problems and counts the rest', () => {
  const error = failure('a: *x\n'.replace('a', 'k') + Array.from({ length: 99 }, (_, i) => `k${i}: *x`).join('\n'));
  expect(error.problems).toHaveLength(51);
  expect(error.problems.at(-1)?.message).toBe('and 50 more');
});

test('nothing but a UserError comes out of any text', () => {
  const pieces = constantFrom(
    'a',
    ':',
    ' ',
    '\n',
    '-',
    '[',
    ']',
    '{',
    '}',
    '&a',
    '*a',
    '<<',
    '"',
    "'",
    '|',
    '>',
    '#',
    '?',
    '!',
    '%',
    '\t',
    ',',
  );
  assert(
    property(
      oneof(
        string(),
        array(pieces, { maxLength: 60 }).map((each) => each.join('')),
      ),
      (text) => {
        let thrown: unknown;
        try {
          parseYaml(text, 'w.yml');
        } catch (error) {
          thrown = error;
        }
        expect(thrown === undefined || thrown instanceof UserError).toBe(true);
      },
    ),
    { numRuns: 2000 },
  );
});
