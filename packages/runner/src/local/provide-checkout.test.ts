import { expect, it } from 'vitest';
import { parseWorkflow } from '../workflow/parse-workflow.ts';
import { provideCheckout } from './provide-checkout.ts';

it.each([
  ['uses: actions/checkout@v4', 'provided'],
  ['uses: https://code.forgejo.org/actions/checkout@v4', 'provided'],
  ['{ uses: actions/checkout@v4, with: { fetch-depth: 0 } }', 'provided'],
  ['{ uses: actions/checkout@v4, with: { repository: a/b } }', 'uses'],
  ['{ uses: actions/checkout@v4, with: { path: sub } }', 'uses'],
  ['uses: evil/actions-checkout@v1', 'uses'],
  ['uses: actions/checkout/sub@v1', 'uses'],
  ['run: actions/checkout@v4', 'run'],
])('%s is %s', (step, kind) => {
  const workflow = parseWorkflow(
    `on: push\njobs: { a: { runs-on: x, steps: [${step.startsWith('{') ? step : `{ ${step} }`}] } }`,
    'w.yml',
  );
  expect(provideCheckout(workflow).jobs.get('a')?.steps[0]?.does.kind).toBe(kind);
});
