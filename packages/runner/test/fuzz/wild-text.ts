import { Buffer } from 'node:buffer';
import * as fc from 'fast-check';
import type { ScriptedProcess } from './scripted-backend.ts';

/** What must never be seen. One has several lines, one has to be escaped almost everywhere. */
export const secrets: Readonly<Record<string, string>> = {
  TOKEN: 'hunter2-and-more',
  ODD: 'p@ss "w\\rd/1234',
  KEY: 'first-line-1234\nmiddle-line-5678\nlast-line-9012',
};

/** The secrets as somebody who looks for them would find them. */
export const forbidden: readonly string[] = [
  ...new Set(
    Object.values(secrets).flatMap((secret) => [
      ...secret.split('\n'),
      Buffer.from(secret).toString('base64'),
      encodeURIComponent(secret),
      JSON.stringify(secret).slice(1, -1),
    ]),
  ),
];

const wildWord = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom(
    '',
    ' ',
    '\t',
    '\r',
    '\u001b[31m',
    '\ufeff',
    '\u0000',
    '%0A',
    '%25',
    '%0D%0A',
    '::',
    '##[',
    ']',
    '$',
    '{0}',
  ),
  fc.constantFrom(
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    '${{',
    '}}',
    '${{ github }}',
    'ß',
    '👩‍👩‍👧',
    '\ud800',
  ),
  fc.constantFrom(...Object.values(secrets), ...forbidden),
);

const commandName = fc.constantFrom(
  ...'group endgroup error warning notice debug add-mask add-matcher remove-matcher save-state set-output'.split(' '),
  ...'set-env add-path echo stop-commands unknown'.split(' '),
);

const command = fc
  .record({
    name: commandName,
    form: fc.constantFrom('::', '##['),
    keys: fc.array(
      fc.tuple(fc.constantFrom('name', 'file', 'line', 'col', 'endLine', 'title', 'owner', '', '__proto__'), wildWord),
      { maxLength: 3 },
    ),
    data: fc.oneof(wildWord, fc.constantFrom('on', 'off', 'matcher.json', 'stop-here', '/', '..', 'group')),
  })
  .map(({ name, form, keys, data }) => {
    const list = keys.map(([key, value]) => `${key}=${value}`).join(form === '::' ? ',' : ';');
    return `${form}${name}${list === '' ? '' : ` ${list}`}${form === '::' ? '::' : ']'}${data}`;
  });

const hugeLine = fc
  .tuple(
    fc.constantFrom('x', 'é', '👩', '::error::', '::add-mask::', '::group::'),
    fc.integer({ min: 60_000, max: 70_000 }),
    wildWord,
  )
  .map(([start, length, word]) => start + 'y'.repeat(length) + word + 'z'.repeat(length));

const line = fc.oneof(
  { weight: 4, arbitrary: command },
  { weight: 4, arbitrary: fc.array(wildWord, { maxLength: 5 }).map((words) => words.join('')) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('::stop-here::', 'src/a.ts(3,7): error TS1: broken', '::', '##[', '::error'),
  },
);

const textPart = fc
  .tuple(line, fc.constantFrom('\n', '\n', '\n', '\r\n', '\r\r\n', '', '\r'))
  .map(([text, end]) => Buffer.from(text + end));
const hugePart = fc.tuple(hugeLine, fc.constantFrom('\n', '')).map(([text, end]) => Buffer.from(text + end));
const rawPart = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));

const output = fc
  .oneof(
    {
      weight: 20,
      arbitrary: fc.array(fc.oneof({ weight: 6, arbitrary: textPart }, { weight: 1, arbitrary: rawPart }), {
        maxLength: 15,
      }),
    },
    { weight: 1, arbitrary: fc.array(fc.oneof(hugePart, textPart), { maxLength: 4 }) },
  )
  .map((parts) => Buffer.concat(parts));

const fileLine = fc.oneof(
  fc.tuple(wildWord, wildWord).map(([name, value]) => `${name}=${value}`),
  fc
    .tuple(fc.constantFrom('a', 'PATH', 'NODE_OPTIONS', 'GITHUB_SHA', '__proto__', 'x'), wildWord)
    .map((pair) => pair.join('=')),
  fc.constantFrom('a<<END', 'END', 'END ', 'b<<', '<<END', '=', 'a=b<<c', '# text', '| a |'),
  wildWord,
);

const file = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc
    .tuple(fc.constantFrom('', '\ufeff'), fc.array(fileLine, { maxLength: 8 }), fc.constantFrom('\n', '\r\n', '\n\n'))
    .map(([start, lines, end]): Uint8Array => Buffer.from(start + lines.join(end) + end)),
);

/** Cuts bytes anywhere. */
function cut(bytes: Uint8Array, places: readonly number[]): readonly Uint8Array[] {
  const ends = [...places.map((place) => place % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

const places = fc.array(fc.nat(), { maxLength: 12 });

/** A process that writes what nobody expects, in pieces of any size. */
export const wildProcess: fc.Arbitrary<ScriptedProcess> = fc
  .record({
    stdout: output,
    stderr: output,
    cuts: fc.tuple(places, places),
    isMixed: fc.boolean(),
    files: fc.record(
      { GITHUB_ENV: file, GITHUB_OUTPUT: file, GITHUB_PATH: file, GITHUB_STATE: file, GITHUB_STEP_SUMMARY: file },
      { requiredKeys: [] },
    ),
    code: fc.constantFrom(0, 0, 0, 1, 127, 255),
  })
  .map(({ stdout, stderr, cuts, isMixed, files, code }) => {
    const pieces = [
      ...cut(stdout, cuts[0]).map((bytes, at) => ({ stream: 'stdout' as const, bytes, at })),
      ...cut(stderr, cuts[1]).map((bytes, at) => ({ stream: 'stderr' as const, bytes, at })),
    ];
    const sorted = isMixed ? pieces.toSorted((left, right) => left.at - right.at) : pieces;
    return { output: sorted, files: Object.fromEntries(Object.entries(files)), code };
  });

/** A file of problem matchers, more or less. */
export const wildMatchers: fc.Arbitrary<string> = fc.oneof(
  fc.string({ maxLength: 20 }),
  fc.json({ maxDepth: 3 }),
  fc
    .record({
      regexp: fc.oneof(
        { weight: 20, arbitrary: fc.constantFrom('^(.+)\\((\\d+),(\\d+)\\): (error) (.*)$', '(', '', '^(.*)$', '()') },
        // Takes as long as it is given.
        { weight: 1, arbitrary: fc.constant('(y+y+)+x') },
      ),
      message: fc.constantFrom(0, 1, 5, 99),
      file: fc.option(fc.constantFrom(1, 2), { nil: undefined }),
      loop: fc.boolean(),
    })
    .map((pattern) => JSON.stringify({ problemMatcher: [{ owner: 'wild', pattern: [pattern] }] })),
);
