import { expect, it } from 'vitest';
import type { Scope } from '../expressions/scope.ts';
import type { Value } from '../expressions/values.ts';
import { type Problem, problemText } from '../user-error.ts';
import { parseWorkflow } from '../workflow/parse-workflow.ts';
import { callInputs, scopeAt } from './call-inputs.ts';

const scope: Scope = {
  contexts: new Map<string, Value>([
    ['github', new Map([['ref', 'main']])],
    ['vars', new Map([['V', 'v']])],
    ['inputs', new Map([['outer', 'o']])],
    ['needs', new Map()],
    ['secrets', new Map([['S', 'hunter2']])],
  ]),
  functions: new Map(),
};

/** The input `x`, declared and given as YAML, and what was wrong. */
async function inputOf(declared: string, given: string | undefined) {
  const called = parseWorkflow(
    `on: { workflow_call: { inputs: { first: { type: string, default: f }, x: ${declared} } } }\njobs: { a: { uses: ./b.yml } }\n`,
    'c.yml',
  );
  const values = given === undefined ? '' : `, with: { x: ${given} }`;
  const caller = parseWorkflow(`on: push\njobs: { a: { uses: ./c.yml${values} } }\n`, 'w.yml');
  const call = caller.jobs.get('a')?.call;
  if (call === undefined || called.callable === undefined) throw new Error('no call');
  const problems: Problem[] = [];
  const { inputs } = called.callable;
  const found = await callInputs({ at: call.uses.at, with: call.with, declared: inputs }, scope, problems);
  return { value: found.get('x'), problems: problems.map(problemText) };
}

it.each<[type: string, given: string | undefined, value: Value]>([
  ['string', undefined, ''],
  ['string', '', ''],
  ['string', '""', ''],
  ['string', '1.50', '1.5'],
  ['string', 'true', 'true'],
  ['string', '"a ${{ inputs.outer }}"', 'a o'],
  ['boolean', undefined, false],
  ['boolean', 'true', true],
  ['boolean', '"true"', true],
  ['boolean', '"${{ vars.NONE }}"', false],
  ['boolean', '"${{ github.ref == \'main\' }}"', true],
  ['number', undefined, 0],
  ['number', '-1.5', -1.5],
  ['number', '" 12 "', 12],
  ['number', '"${{ fromJSON(5) }}"', 5],
  ['number', '""', 0],
])('a %s given as %j', async (type, given, value) => {
  expect(await inputOf(`{ type: ${type} }`, given)).toEqual({ value, problems: [] });
});

it.each<[type: string, given: string, found: string]>([
  ['string', '"${{ github }}"', 'an object'],
  ['string', '"${{ fromJSON(\'[]\') }}"', 'a list'],
  ['boolean', 'yes please', '"yes please"'],
  ['boolean', '"True"', '"True"'],
  ['boolean', '1', '"1"'],
  ['number', 'true', '"true"'],
  ['number', '"1e999"', '"1e999"'],
  ['number', '"12 apples"', '"12 apples"'],
  ['number', '" "', '" "'],
])('refuses for a %s %j', async (type, given, found) => {
  const { value, problems } = await inputOf(`{ type: ${type}, required: true }`, given);
  expect(value).toBeUndefined();
  expect(problems).toEqual([
    expect.stringMatching(new RegExp(String.raw`^w\.yml:2:\d+: expected the input "x" to be .*, found `)),
    expect.stringMatching(/^c\.yml:1:\d+: the input "x" is declared here with the type/),
  ]);
  expect(problems[0]?.endsWith(`found ${found}`)).toBe(true);
});

it('evaluates a default with what may stand there', async () => {
  const declared =
    '{ type: string, default: "${{ vars.V }} ${{ github.ref }} ${{ inputs.first }}[${{ inputs.outer }}]" }';
  expect((await inputOf(declared, undefined)).value).toBe('v main f[]');
  await expect(inputOf('{ type: string, default: "${{ needs.a }}" }', undefined)).rejects.toThrow(/"needs\.a"/);
});

it('shows a place only the contexts that belong there', () => {
  expect([...scopeAt('job.with', scope).contexts.keys()]).toEqual(['github', 'vars', 'inputs', 'needs']);
});
