import { expect, it } from 'vitest';
import type { Value } from '../expressions/values.ts';
import { parseWorkflow } from '../workflow/parse-workflow.ts';
import { jobOutputs } from './job-outputs.ts';

async function outputsOf(outputs: string) {
  const workflow = parseWorkflow(
    `on: push\njobs: { a: { runs-on: x, outputs: ${outputs}, steps: [{ run: "true" }] } }`,
    'w.yml',
  );
  const job = workflow.jobs.get('a');
  if (job === undefined) throw new Error('no job');
  const steps = new Map<string, Value>([
    ['big', 'x'.repeat(1024 * 1024 + 1)],
    ['secret', 'a hunter2 b'],
    ['ok', 'fine'],
  ]);
  const contexts = new Map<string, Value>([['steps', steps]]);
  return jobOutputs(job, { contexts, functions: new Map() }, (text) => text.includes('hunter2'));
}

it('evaluates outputs', async () => {
  expect(await outputsOf('{ a: "${{ steps.ok }}", b: plain }')).toEqual({
    values: new Map([
      ['a', 'fine'],
      ['b', 'plain'],
    ]),
    warnings: [],
  });
});

it('leaves out what holds a secret, is too large or is wrong, and says so', async () => {
  const { values, warnings } = await outputsOf(
    '{ a: "${{ steps.secret }}", b: "${{ steps.big }}", c: "${{ nope.x }}", d: ok }',
  );
  expect(values).toEqual(new Map([['d', 'ok']]));
  expect(warnings).toEqual([
    'Output "a" is left out: it may hold a secret',
    'Output "b" is left out: it has more than 1048576 bytes',
    expect.stringMatching(/^Output "c" is left out: .*nope/),
  ]);
});
