import { eventually } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';
import type { RepositoryWorkflows } from '../../src/graph/called-workflow.ts';
import { parseWorkflow } from '../../src/workflow/parse-workflow.ts';
import { startYaml } from '../run-yaml.ts';
import { callable } from './run-calls.ts';

function inMemory(files: Readonly<Record<string, string>>): RepositoryWorkflows {
  const find = async (path: string) => {
    const text = files[path];
    return text === undefined ? undefined : parseWorkflow(text, path);
  };
  return { nameOf: (path) => path, find };
}

it('cancels the jobs of called workflows, and calls that did not start', async () => {
  const cancel = new AbortController();
  const own = inMemory({
    'called.yml': `on: workflow_call
jobs:
  running:
    runs-on: here
    steps: [{ run: "echo here; sleep 60" }, { run: echo cleaned, if: cancelled() }]
  next: { needs: running, runs-on: here, steps: [{ run: echo never }] }
`,
    'later.yml': callable('echo never'),
  });
  const run = await startYaml(
    'on: push\njobs:\n  call: { uses: ./called.yml }\n  later: { needs: call, if: always(), uses: ./later.yml }\n',
    { workflows: { own }, signal: cancel.signal },
  );
  await eventually(() => run.jobs.some((job) => job.steps().includes('here')));
  cancel.abort();
  const results = await run.done;
  expect(run.job('call/running').steps()).toEqual(['here', 'cleaned']);
  expect(run.jobs.map(({ id, result }) => [id, result])).toEqual([
    ['call/running', 'cancelled'],
    ['call/next', 'skipped'],
    ['later', 'cancelled'],
  ]);
  expect([...results.values()].map(({ result }) => result)).toEqual(['cancelled', 'cancelled']);
  expect(run.backend.environments()).toEqual([]);
});

it('calls a call cancelled whose workflow was not found in time', async () => {
  const cancel = new AbortController();
  const started = Promise.withResolvers<void>();
  const own: RepositoryWorkflows = {
    nameOf: (path) => path,
    find: (_path, signal) => {
      started.resolve();
      return new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
  };
  const run = await startYaml('on: push\njobs: { call: { uses: ./called.yml } }\n', {
    workflows: { own },
    signal: cancel.signal,
  });
  await started.promise;
  cancel.abort();
  expect((await run.done).get('call')?.result).toBe('cancelled');
  expect(run.job('call').section('set-up')).toEqual(['Cancelled before it started']);
});
