import * as fc from 'fast-check';

const literal = fc.oneof(
  fc.constantFrom('true', 'false', 'null', '0', '-1', '1e309', '0xFFFFFFFFFF', '-0', '.5', "''", "'it''s'", "'\u0000'"),
  fc.constantFrom(
    'NaN',
    'Infinity',
    "'[1,2'",
    '\'{"a":1}\'',
    "'[[[]]]'",
    "'2024-99'",
    "'**'",
    "'/'",
    "'../**'",
    "'!x'",
    "'{0}{9}{'",
  ),
  fc.string({ maxLength: 6 }).map((text) => `'${text.replaceAll("'", "''")}'`),
);

const context = fc.oneof(
  // In every place of a job.
  {
    weight: 8,
    arbitrary: fc.constantFrom(
      ...'github forgejo vars needs inputs vars.NAME github.event.*.x needs.one.outputs.x needs.*.result'.split(' '),
      "github['__proto__']",
    ),
  },
  {
    weight: 3,
    arbitrary: fc.constantFrom(...'matrix strategy matrix.a secrets.TOKEN secrets secrets.* env env.A'.split(' ')),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ...'job jobs steps runner nobody steps.s0.outputs.x steps.constructor steps.*.outcome'.split(' '),
    ),
  },
);

const functions = 'contains/2 startsWith/2 endsWith/2 format/1 format/3 join/1 join/2 toJSON/1 fromJSON/1 case/3'.split(
  ' ',
);
const oddFunctions = 'hashFiles/1 success/0 failure/0 always/0 cancelled/0 contains/1 case/2 nobody/0 toString/0'.split(
  ' ',
);

const { tree } = fc.letrec<{ tree: string }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    literal,
    context,
    fc
      .tuple(
        fc.oneof(
          { weight: 5, arbitrary: fc.constantFrom(...functions) },
          { weight: 1, arbitrary: fc.constantFrom(...oddFunctions) },
        ),
        fc.tuple(tie('tree'), tie('tree'), tie('tree')),
      )
      .map(([name, values]) => {
        const [called, count] = name.split('/');
        return `${called}(${values.slice(0, Number(count)).join(', ')})`;
      }),
    fc
      .tuple(tie('tree'), fc.constantFrom('==', '!=', '<', '<=', '>', '>=', '&&', '||'), tie('tree'))
      .map((parts) => parts.join(' ')),
    fc.tuple(tie('tree'), tie('tree')).map(([target, index]) => `(${target})[${index}]`),
    tie('tree').map((inner) => `!(${inner})`),
    tie('tree').map((inner) => `(${inner}).*`),
  ),
}));

/** An expression that can be read; whether it can be evaluated is another question. */
export const soundExpression: fc.Arbitrary<string> = tree;

/** A text around one that can be read. */
export const soundValue: fc.Arbitrary<string> = fc
  .tuple(tree, fc.constantFrom('', '', 'text '), fc.constantFrom('', '', ' end', ' ${{ secrets.TOKEN }}'))
  .map(([inner, before, after]) => `${before}\${{ ${inner} }}${after}`);

/** An expression as it comes from somebody who does not know the language. */
export const wildExpression: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: tree },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 15 }) },
  { weight: 1, arbitrary: fc.constantFrom('', '((((', "'", 'a.', '.*', '[', '1 2', '&&', '{}', 'x'.repeat(300)) },
  {
    weight: 1,
    arbitrary: fc.integer({ min: 40, max: 5000 }).map((depth) => `${'('.repeat(depth)}1${')'.repeat(depth)}`),
  },
);

/** A text around one. */
export const wildValue: fc.Arbitrary<string> = fc
  .tuple(wildExpression, fc.constantFrom('', 'text ', '${{', '}} '), fc.constantFrom('', ' end', '}}'))
  .map(([inner, before, after]) => `${before}\${{ ${inner} }}${after}`);
