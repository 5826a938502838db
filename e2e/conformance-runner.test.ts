import { factory } from '@forgejo-runner/backend-host';
import { openTempFolder, runConformance, type TempFolder } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type BuiltRunner, buildRunner } from './built-runner.ts';

const opened = new AsyncDisposableStack();
let runner: BuiltRunner;
let folder: TempFolder;

beforeAll(async () => {
  runner = opened.use(await buildRunner());
  folder = opened.use(await openTempFolder());
});
afterAll(() => opened.disposeAsync());

/** A few: exec-workflows.test.ts runs them all. */
const topics = ['env/'];

it('runs workflows on a runner with the backend', async () => {
  const config = { workdir_parent: folder.join('jobs') };
  const options = { factory, label: 'test:host', config, runner: { command: runner.command, topics } };
  const { checks } = await runConformance(options, { only: ['C94'], lane: 'full' });
  expect(checks).toMatchObject([{ id: 'C94', status: 'passed' }]);
  expect(checks[0]?.measured?.['workflows']).toBeGreaterThan(3);
});

it('finds a runner that runs nothing, workflow by workflow', async () => {
  const options = { factory, label: 'test:host', runner: { command: ['true'] as const, topics } };
  const { checks } = await runConformance(options, { only: ['C94'] });
  expect(checks).toMatchObject([{ status: 'failed', reason: expect.stringMatching(/of \d+ workflows:\nenv\//) }]);
});
