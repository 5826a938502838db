import { loadWorkflowCases } from '@forgejo-runner/testkit';
import * as fc from 'fast-check';
import { soundExpression, soundValue, wildExpression, wildValue } from './wild-expression.ts';

const cases = loadWorkflowCases();

/** The workflows of the test cases, for the label `here`. */
const workflows: readonly string[] = cases.map(({ files, workflow }) =>
  (files[workflow] ?? '').replaceAll('runs-on: test', 'runs-on: here'),
);

const actions: readonly string[] = Object.entries(cases[0]?.files ?? {})
  .filter(([path]) => path.endsWith('/action.yml'))
  .map(([, text]) => text);

const fragment = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.constantFrom(
    '\n',
    '  ',
    '\t',
    ':',
    ': ',
    '- ',
    '"',
    "'",
    '|',
    '>',
    '[',
    ']',
    '{',
    '}',
    '&a ',
    '*a',
    '<<: ',
    '!!binary ',
    '? ',
  ),
  fc.constantFrom(
    'null',
    '~',
    '.inf',
    '-1',
    '1e999',
    'true',
    '2024-01-01',
    '__proto__: 1\n',
    '---\n',
    '...\n',
    '%YAML 9.9\n',
    '#',
  ),
  fc.constantFrom(
    'matrix:',
    'include:',
    'needs:',
    'uses: ./x\n',
    'run:\n',
    'if: ',
    'with: ',
    'env: ',
    'timeout-minutes: 0\n',
  ),
  wildValue,
  soundValue.map((value) => JSON.stringify(value)),
);

type Change = (text: string) => string;

const change: fc.Arbitrary<Change> = fc
  .tuple(
    fc.constantFrom('insert', 'delete', 'replace', 'replace', 'replace', 'repeat', 'swap', 'cut', 'indent'),
    fc.nat(),
    fc.nat(40),
    fragment,
  )
  .map(
    ([kind, where, length, inserted]) =>
      (text: string) =>
        changed(text, { kind, where, length, inserted }),
  );

interface Edit {
  readonly kind: string;
  readonly where: number;
  readonly length: number;
  readonly inserted: string;
}

function changed(text: string, { kind, where, length, inserted }: Edit): string {
  const at = where % (text.length + 1);
  if (kind === 'insert') return text.slice(0, at) + inserted + text.slice(at);
  if (kind === 'delete') return text.slice(0, at) + text.slice(at + length);
  if (kind === 'cut') return text.slice(0, at);
  const lines = text.split('\n');
  const row = where % lines.length;
  const line = lines[row] ?? '';
  // The value behind a key, so that what comes out is mostly YAML.
  if (kind === 'replace') lines[row] = line.replace(/: .*$/, () => `: ${inserted}`);
  else if (kind === 'repeat') lines.splice(row, 0, line);
  else if (kind === 'indent') lines[row] = `  ${line}`;
  else lines.splice((row + length) % lines.length, 0, ...lines.splice(row, 1));
  return lines.join('\n');
}

function edited(texts: readonly string[]): fc.Arbitrary<string> {
  return fc.tuple(fc.constantFrom(...texts), fc.array(change, { maxLength: 4 })).map(([text, edits]) => {
    let current = text;
    for (const edit of edits) current = edit(current);
    return current;
  });
}

/** A workflow that somebody wrote, and somebody else edited in a hurry. */
export const brokenWorkflow: fc.Arbitrary<string> = edited(workflows);

/** An action of the same making. */
export const brokenAction: fc.Arbitrary<string> = edited(actions);

/** The arbitraries of the values of a workflow: right shapes with wild content, or anything. */
interface Values {
  readonly text: fc.Arbitrary<unknown>;
  readonly condition: fc.Arbitrary<unknown>;
  readonly truth: fc.Arbitrary<unknown>;
  readonly number: fc.Arbitrary<unknown>;
  readonly texts: fc.Arbitrary<unknown>;
  readonly list: fc.Arbitrary<unknown>;
  readonly mappings: fc.Arbitrary<unknown>;
}

const name = fc.constantFrom('a', 'A', 'x-y', 'PATH', 'NODE_OPTIONS', 'GITHUB_SHA', 'a=b', '__proto__', 'constructor');

/** What can be read, so that it is carried out. */
const sound: Values = {
  text: fc.oneof(soundValue, fc.constantFrom('', 'x', '0', 'null')),
  condition: fc.oneof(soundExpression, soundValue, fc.constantFrom(true, 'always()', 'failure()')),
  truth: fc.oneof(soundValue, fc.boolean()),
  number: fc.oneof(soundValue, fc.constantFrom(1, 0.001, 60)),
  texts: fc.dictionary(name, soundValue, { maxKeys: 3, noNullPrototype: true }),
  list: fc.oneof(
    soundValue,
    fc.array(fc.oneof(soundValue, fc.constantFrom<unknown>(1, 'x', null, { a: 1 })), { maxLength: 3 }),
  ),
  mappings: fc.oneof(
    soundValue,
    fc.array(fc.dictionary(name, soundValue, { maxKeys: 2, noNullPrototype: true }), { maxLength: 2 }),
  ),
};

const anything = fc.oneof(
  wildValue,
  fc.constantFrom<unknown>(null, true, false, 0, -1, 1.5, 1e21, '', 'here', 'x', [], {}, ['here'], [[]], { a: 1 }),
  fc.dictionary(fc.string({ maxLength: 4 }), wildValue, { maxKeys: 3, noNullPrototype: true }),
);

/** What nobody would write. */
const wild: Values = {
  text: anything,
  condition: fc.oneof(wildExpression, anything),
  truth: anything,
  number: anything,
  texts: anything,
  list: anything,
  mappings: anything,
};

type Model = Readonly<Record<string, fc.Arbitrary<unknown>>>;

/** Each key is there in one of three cases. */
function sometimes(model: Model, always: Model = {}): fc.Arbitrary<object> {
  const rare = Object.entries(model).map(([key, value]) =>
    fc.option(value, { freq: 2, nil: undefined }).map((chosen) => [key, chosen] as const),
  );
  const kept = Object.entries(always).map(([key, value]) => value.map((chosen) => [key, chosen] as const));
  return fc
    .tuple(
      ...kept,
      ...rare.map((entry) =>
        fc.oneof({ weight: 1, arbitrary: entry }, { weight: 1, arbitrary: fc.constant(undefined) }),
      ),
    )
    .map((entries) => Object.fromEntries(entries.filter((entry) => entry?.[1] !== undefined) as [string, unknown][]));
}

function stepOf({ text, condition, truth, number, texts }: Values): fc.Arbitrary<object> {
  const common = { name: text, if: condition, 'continue-on-error': truth, 'timeout-minutes': number, env: texts };
  const shell = fc.oneof(text, fc.constantFrom('sh', 'bash', '{0}', 'x {0}'));
  return fc.oneof(
    sometimes({ ...common, shell, 'working-directory': text }, { run: text }),
    sometimes(
      { ...common, with: texts },
      {
        uses: fc.oneof(
          { weight: 9, arbitrary: fc.constantFrom('./act', './act', './act', './', './..') },
          { weight: 1, arbitrary: fc.oneof(text, fc.constantFrom('a/b@c', '@', 'docker://x')) },
        ),
      },
    ),
  );
}

function jobOf(values: Values): fc.Arbitrary<object> {
  const { text, condition, truth, number, texts, list, mappings } = values;
  const matrix = sometimes({ a: list, b: list, include: mappings, exclude: mappings });
  return sometimes(
    {
      name: text,
      if: condition,
      env: texts,
      defaults: sometimes({ run: sometimes({ shell: text, 'working-directory': text }) }),
      strategy: sometimes({ matrix: fc.oneof(matrix, text), 'fail-fast': truth, 'max-parallel': number }),
      'continue-on-error': truth,
      'timeout-minutes': number,
      outputs: texts,
      concurrency: fc.oneof(text, texts),
      environment: fc.oneof(text, texts),
    },
    {
      'runs-on': fc.oneof(
        { weight: 19, arbitrary: fc.constantFrom<unknown>('here', ['here'], "${{ 'here' }}") },
        { weight: 1, arbitrary: text },
      ),
      steps: fc
        .array(stepOf(values), { minLength: 1, maxLength: 4 })
        .map((steps) => steps.map((step, index) => ({ id: `s${index}`, ...step }))),
    },
  );
}

function workflowOf(values: Values): fc.Arbitrary<string> {
  const { text, texts } = values;
  const job = jobOf(values);
  const second = job.map((other) => ({ ...other, needs: 'one' }));
  const jobs = fc.oneof(fc.record({ one: job }), fc.record({ one: job, two: second }));
  return sometimes(
    { name: text.filter((value) => typeof value === 'string'), 'run-name': text, env: texts },
    { on: fc.constant('push'), jobs },
  ).map((workflow) => JSON.stringify(workflow));
}

/** A workflow with any value and any expression in every place that takes one. As JSON, which is YAML. */
export const wildWorkflow: fc.Arbitrary<string> = workflowOf(wild);

/** The same with values of the right shape, so that it starts. */
export const soundWorkflow: fc.Arbitrary<string> = workflowOf(sound);
