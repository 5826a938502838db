import type { Capabilities } from '@forgejo-runner/core';
import { eventually, referenceBackend, type ReferenceFaults } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';
import { altered, calls, failOnLeaks, native } from './altered-backend.ts';
import { holdLimit } from './hold-limit.ts';
import { jobOf, runSteps, startYaml } from './run-yaml.ts';

failOnLeaks();

it.each<[NonNullable<ReferenceFaults['create']>, number]>([
  [{ code: 'unavailable', retryAfterMs: 1 }, 4],
  [{ code: 'timeout', retryAfterMs: 1 }, 4],
  [{ code: 'image', retryable: true, retryAfterMs: 1 }, 4],
  [{ code: 'image' }, 1],
  [{ code: 'auth' }, 1],
  [{ code: 'plan' }, 1],
  [{ code: 'internal' }, 1],
  [{ code: 'foreign' }, 1],
])('tries %j %i times in all, each with another name', async (create, tries) => {
  const backend = referenceBackend({ faults: { create } });
  const { results, job } = await runSteps('- run: "true"', { backend });
  const names = calls(backend, 'createEnvironment').map((call) => call.environment);
  expect(new Set(names).size).toBe(tries);
  for (const name of names) expect(name).toMatch(/^[a-z0-9-]{1,40}$/);
  expect(results.get('one')?.result).toBe('failure');
  expect(job().text()).toMatch(/##\[error\].*environment "job-one-/);
  expect(job().changes).toEqual([]);
  expect(backend.environments()).toEqual([]);
});

it('goes on with the try that works', async () => {
  const backend = referenceBackend({ faults: { create: { code: 'unavailable', times: 3, retryAfterMs: 1 } } });
  const { results, job } = await runSteps('- run: "true"', { backend });
  expect(results.get('one')?.result).toBe('success');
  expect(
    job()
      .section('set-up')
      .filter((row) => row.includes('trying again in 1 s')),
  ).toHaveLength(3);
});

it('waits for capacity for as long as it takes', async () => {
  const backend = referenceBackend({ faults: { create: { code: 'capacity', times: 12, retryAfterMs: 1 } } });
  expect((await runSteps('- run: "true"', { backend })).results.get('one')?.result).toBe('success');
  expect(calls(backend, 'createEnvironment')).toHaveLength(13);
});

it('waits as long as the backend says, until the job is cancelled', async () => {
  const backend = referenceBackend({ faults: { create: { code: 'capacity', retryAfterMs: 3_600_000 } } });
  const cancel = new AbortController();
  const run = await startYaml(jobOf('- run: "true"'), { backend, signal: cancel.signal });
  await eventually(() => run.jobs[0]?.text().includes('trying again in 3600 s'));
  cancel.abort();
  expect((await run.done).get('one')?.result).toBe('cancelled');
  expect(calls(backend, 'createEnvironment')).toHaveLength(1);
  expect(run.job().text()).toContain('##[error]The job was cancelled');
});

it('waits for capacity no longer than the job may run, and says what it waited for', async () => {
  const backend = referenceBackend({ faults: { create: { code: 'capacity', retryAfterMs: 20 } } });
  using limit = holdLimit(59);
  const { done, jobs, job } = await startYaml(jobOf('- run: "true"', 'timeout-minutes: 59'), { backend });
  await eventually(() => /"capacity".*trying again/.test(jobs[0]?.text() ?? ''));
  limit.end();
  expect((await done).get('one')?.result).toBe('cancelled');
  expect(job().text()).toContain('##[error]The job ran longer than its limit of 59 minutes and was cancelled');
});

it('cancels an environment that is being made', async () => {
  const backend = referenceBackend({ faults: { createHangs: true } });
  const cancel = new AbortController();
  const run = await startYaml(jobOf('- run: "true"'), { backend, signal: cancel.signal });
  await eventually(() => calls(backend, 'createEnvironment').length > 0);
  cancel.abort();
  expect((await run.done).get('one')?.result).toBe('cancelled');
  expect(run.job().section('set-up').slice(1)).toEqual(['##[error]The job was cancelled']);
});

it('calls what no contract knows a defect of the backend', async () => {
  const { job } = await runSteps('- run: "true"', {
    backend: referenceBackend({ faults: { create: { code: 'foreign' } } }),
  });
  expect(job().text()).toMatch(
    /backend "reference" failed: environment "job-one-[0-9a-f]+": an error that no contract knows/,
  );
  expect(job().text()).toContain('Next: report this to the author of the backend');
});

it.each<[string, ReferenceFaults, Partial<Capabilities>]>([
  ['an exec', { copyIn: 'foreign' }, {}],
  ['a service', { serviceNeverReady: 'foreign' }, native],
])('calls what %s throws so as well', async (_, faults, capabilities) => {
  const head = faults.serviceNeverReady === undefined ? '' : 'services: { db: postgres }';
  const { job, results } = await runSteps('- run: "true"', {
    backend: referenceBackend({ faults, capabilities }),
    head,
  });
  expect(results.get('one')?.result).toBe('failure');
  expect(job().text()).toMatch(/backend "reference" failed: .*an error that no contract knows/);
});

it.each(['createJobContainer', 'createServiceContainer', 'createStepContainer', 'buildImage', 'sharedPath'] as const)(
  'refuses a backend that claims %s and lacks it',
  async (method) => {
    const backend = referenceBackend({ capabilities: native, faults: { missing: [method] } });
    const { job, results } = await runSteps('- run: "true"', { backend });
    expect(results.get('one')?.result).toBe('failure');
    expect(job().text()).toContain(
      `backend "reference" breaks the contract (C05): ${method} is missing although the capabilities claim it`,
    );
    expect(backend.environments()).toEqual([]);
  },
);

it.each(['createJobContainer', 'createServiceContainer', 'createStepContainer', 'buildImage', 'dockerEndpoint'])(
  'refuses a backend that has %s and does not claim it',
  async (method) => {
    const backend = altered(referenceBackend(), () => ({ [method]: async () => ({}) }));
    const { job } = await runSteps('- run: "true"', { backend });
    expect(job().text()).toContain(`(C05): ${method} exists although the capabilities lack it`);
    expect(backend.environments()).toEqual([]);
  },
);

it('refuses an environment without a target', async () => {
  const backend = referenceBackend({ faults: { missing: ['target'] } });
  const { job } = await runSteps('- run: "true"', { backend });
  expect(job().text()).toContain('(C05): an environment without a job container has no target');
  expect(backend.environments()).toEqual([]);
});
