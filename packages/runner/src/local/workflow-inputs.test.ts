import { expect, it } from 'vitest';
import { parseWorkflow } from '../workflow/parse-workflow.ts';
import { workflowInputs } from './workflow-inputs.ts';

const workflow = parseWorkflow(
  `on:
  workflow_dispatch:
    inputs:
      text: { type: string, default: hello }
      flag: { type: boolean }
      count: { type: number, default: 3 }
      size: { type: choice, options: [small, large] }
      must: { type: string, required: true }
jobs: { a: { runs-on: x, steps: [{ run: "true" }] } }
`,
  'w.yml',
);

it('fills in the defaults in their types', () => {
  expect(workflowInputs(workflow, { inputs: { must: 'x' } })).toEqual(
    new Map<string, unknown>([
      ['must', 'x'],
      ['text', 'hello'],
      ['flag', false],
      ['count', 3],
      ['size', 'small'],
    ]),
  );
});

it('takes what the payload gives, also inputs that nobody declared', () => {
  const inputs = workflowInputs(workflow, { inputs: { must: '', flag: 'true', count: '4', size: 'large', more: 1 } });
  expect(Object.fromEntries(inputs)).toEqual({ must: '', flag: true, count: 4, size: 'large', more: 1, text: 'hello' });
});

it('lists every input that is missing or wrong', () => {
  expect(() => workflowInputs(workflow, { inputs: { flag: 'maybe', count: 'many', size: 'huge' } })).toThrow(
    [
      'w.yml:5:7: expected the input "flag" to be true or false, found "maybe"',
      'w.yml:6:7: expected the input "count" to be a number, found "many"',
      'w.yml:7:7: expected the input "size" to be one of small, large, found "huge"',
      'w.yml:8:7: expected the input "must", found none',
    ].join('\n'),
  );
});

it('has no inputs where the payload has none', () => {
  expect(workflowInputs({ ...workflow, inputs: new Map() }, {})).toEqual(new Map());
});
