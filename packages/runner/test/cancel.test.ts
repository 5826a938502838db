import { eventually } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';
import { holdLimit } from './hold-limit.ts';
import { jobOf, type RunYamlOptions, startYaml, type StartedRun } from './run-yaml.ts';

/** Starts the steps and waits until one of them printed `here`. */
async function startUntilHere(
  steps: string,
  options: RunYamlOptions & { readonly head?: string } = {},
): Promise<StartedRun & { readonly cancel: AbortController; readonly hurry: AbortController }> {
  const cancel = new AbortController();
  const hurry = new AbortController();
  const run = await startYaml(jobOf(steps, options.head), { ...options, signal: cancel.signal, hurry: hurry.signal });
  await eventually(() => run.jobs.some((job) => job.steps().includes('here')));
  return { ...run, cancel, hurry };
}

it('runs nothing after a cancellation but what wants to', async () => {
  const run = await startUntilHere(`
- id: a
  run: echo here; sleep 60
- run: echo no
- run: echo no
  if: failure()
- run: echo no
  if: success() || failure()
- run: echo "cancelled \${{ cancelled() }} \${{ job.status }} \${{ steps.a.outcome }}"; test -d "$GITHUB_WORKSPACE"
  if: cancelled()
- run: echo always
  if: always()
- run: echo not failed
  if: "!failure()"`);
  run.cancel.abort();
  expect((await run.done).get('one')?.result).toBe('cancelled');
  expect(run.job().results()).toEqual([
    'cancelled/cancelled',
    'skipped/skipped',
    'skipped/skipped',
    'skipped/skipped',
    'success/success',
    'success/success',
    'success/success',
  ]);
  expect(run.job().steps()).toEqual(['here', 'cancelled true cancelled cancelled', 'always', 'not failed']);
  expect(run.job().section('complete')).toContain('##[error]The job was cancelled');
  expect(run.backend.environments()).toEqual([]);
});

it('calls a step that fails after the cancellation a failure, and the job cancelled', async () => {
  const run = await startUntilHere('- run: echo here; sleep 60\n- run: exit 4\n  if: always()');
  run.cancel.abort();
  expect((await run.done).get('one')?.result).toBe('cancelled');
  expect(run.job().results()).toEqual(['cancelled/cancelled', 'failure/failure']);
});

it('does not forgive a cancelled job', async () => {
  const run = await startUntilHere('- run: echo here; sleep 60', { head: 'continue-on-error: true' });
  run.cancel.abort();
  expect((await run.done).get('one')?.result).toBe('cancelled');
});

it('ends what still runs when the grace time is over', async () => {
  using grace = holdLimit(61);
  const run = await startUntilHere(
    '- run: echo here; sleep 60\n- run: echo slow; sleep 60\n  if: always()\n- run: echo never\n  if: always()',
    { graceMs: 61 * 60_000 },
  );
  run.cancel.abort();
  await eventually(() => run.job().steps().includes('slow'));
  grace.end();
  expect((await run.done).get('one')?.result).toBe('cancelled');
  expect(run.job().steps()).toEqual(['here', 'slow']);
  expect(run.job().results()).toEqual(['cancelled/cancelled', 'cancelled/cancelled', 'cancelled/cancelled']);
});

it('ends the grace time at once when somebody cannot wait', async () => {
  const run = await startUntilHere('- run: echo here; sleep 60\n- run: echo slow; sleep 60\n  if: always()');
  run.cancel.abort();
  await eventually(() => run.job().steps().includes('slow'));
  run.hurry.abort();
  await run.done;
  expect(run.job().results()).toEqual(['cancelled/cancelled', 'cancelled/cancelled']);
  expect(run.backend.environments()).toEqual([]);
});

it('calls a job that ran out of time cancelled, with its reason', async () => {
  using limit = holdLimit(59);
  const run = await startUntilHere('- run: echo here; sleep 60\n- run: echo saved\n  if: cancelled()', {
    head: 'timeout-minutes: 59',
  });
  limit.end();
  expect((await run.done).get('one')?.result).toBe('cancelled');
  expect(run.job().steps()).toEqual(['here', 'saved']);
  expect(run.job().section('complete')).toContain(
    '##[error]The job ran longer than its limit of 59 minutes and was cancelled',
  );
});

it('runs nothing of a run that was cancelled before', async () => {
  const run = await startYaml(
    'on: push\njobs:\n  a: { runs-on: here, steps: [{ run: echo }] }\n  b: { runs-on: here, if: always(), needs: a, steps: [{ run: echo }] }\n',
    { signal: AbortSignal.abort() },
  );
  expect([...(await run.done).values()].map(({ result }) => result)).toEqual(['cancelled', 'cancelled']);
  expect(run.jobs.map((job) => [job.id, job.result, job.text()])).toEqual([
    ['a', 'cancelled', 'Cancelled before it started'],
    ['b', 'cancelled', 'Cancelled before it started'],
  ]);
  expect(run.backend.log.map(({ method }) => method)).not.toContain('createEnvironment');
});

it('reaches the steps of an action', async () => {
  const action = `
runs:
  using: composite
  steps:
    - run: echo here; sleep 60
      shell: sh
    - run: echo no
      shell: sh
    - run: echo inner always
      shell: sh
      if: always()`;
  const run = await startUntilHere('- uses: ./act\n- run: echo outer always\n  if: always()', {
    files: { 'act/action.yml': action },
  });
  run.cancel.abort();
  expect((await run.done).get('one')?.result).toBe('cancelled');
  expect(run.job().results()).toEqual(['cancelled/cancelled', 'success/success']);
  expect(
    run
      .job()
      .steps()
      .filter((row) => !row.startsWith('▸')),
  ).toEqual(['here', 'inner always', 'outer always']);
});

it('cancels the filling of the workspace', async () => {
  const cancel = new AbortController();
  const run = await startYaml(jobOf('- run: echo no'), {
    signal: cancel.signal,
    fillWorkspace: async (_place, signal) => {
      cancel.abort();
      signal.throwIfAborted();
    },
  });
  expect((await run.done).get('one')?.result).toBe('cancelled');
  expect(run.job().text()).toContain('##[error]The job was cancelled');
  expect(run.backend.environments()).toEqual([]);
});
