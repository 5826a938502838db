import { readdir } from 'node:fs/promises';
import type { Capabilities, CallContext, ExecutionEnvironment, ServiceContainer } from '@forgejo-runner/core';
import {
  callContext,
  eventually,
  openTempFolder,
  type ReferenceBackend,
  referenceBackend,
  type ReferenceFaults,
  type TempFolder,
} from '@forgejo-runner/testkit';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { runSteps, startYaml, jobOf } from './run-yaml.ts';

const native: Partial<Capabilities> = {
  containers: {
    via: 'native',
    job: true,
    services: true,
    steps: true,
    build: true,
    fields: ['env', 'ports', 'volumes', 'credentials'],
  },
};
const withServices = 'container: alpine\nservices:\n  db: { image: postgres, ports: ["5432:5432"] }\n  cache: redis';

function calls({ log }: ReferenceBackend, method: string) {
  return log.filter((call) => call.method === method);
}

/** Lets a test change what a backend of a test hands out. */
function altered(backend: ReferenceBackend, change: (environment: ExecutionEnvironment) => object): ReferenceBackend {
  const create: ReferenceBackend['factory']['create'] = async (input, ctx) => {
    const made = await backend.factory.create(input, ctx);
    return {
      ...made,
      createEnvironment: async (request, call) => {
        const environment = await made.createEnvironment(request, call);
        return { ...environment, ...change(environment) };
      },
    };
  };
  return { ...backend, factory: { ...backend.factory, create } };
}

// Environments are made in a folder of this file's own: whatever a test leaves there is a leak.
let folder: TempFolder;

beforeEach(async () => {
  folder = await openTempFolder();
  vi.stubEnv('TMPDIR', folder.path);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  const left = await readdir(folder.path);
  await folder[Symbol.asyncDispose]();
  if (left.length > 0) throw new Error(`expected nothing to be left behind, found ${left.join(', ')}`);
});

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
  const { results, job } = await runSteps('- run: "true"', { backend, head: 'timeout-minutes: 0.01' });
  expect(results.get('one')?.result).toBe('cancelled');
  expect(job().text()).toMatch(/"capacity".*trying again/);
  expect(job().text()).toContain('##[error]The job ran longer than its limit of 0.01 minutes and was cancelled');
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

it('makes services, then the job container, waits for all, and removes them in reverse', async () => {
  const backend = referenceBackend({ capabilities: native });
  const { results, job } = await runSteps('- run: echo ready', { backend, head: withServices });
  expect(job().steps()).toEqual(['ready']);
  expect(results.get('one')?.result).toBe('success');
  const order = backend.log.map(({ method, detail }) =>
    method === 'removeContainer' ? `remove ${String(detail).replace(/^job-one-[0-9a-f]+-/, '')}` : method,
  );
  const wanted = new Set(['createEnvironment', 'createServiceContainer', 'createJobContainer', 'waitReady', 'remove']);
  expect(order.filter((method) => wanted.has(method) || method.startsWith('remove '))).toEqual([
    'createEnvironment',
    'createServiceContainer',
    'createServiceContainer',
    'createJobContainer',
    'waitReady',
    'waitReady',
    'remove job',
    'remove service-cache',
    'remove service-db',
    'remove',
  ]);
});

it('starts services at the same time', async () => {
  let open = 0;
  const all = Promise.withResolvers<void>();
  const backend = altered(referenceBackend({ capabilities: native }), ({ createServiceContainer: create }) => ({
    createServiceContainer: async (...args: Parameters<NonNullable<typeof create>>) => {
      open += 1;
      if (open === 2) all.resolve();
      await all.promise;
      return create?.(...args);
    },
  }));
  const { results } = await runSteps('- run: "true"', { backend, head: withServices });
  expect(results.get('one')?.result).toBe('success');
});

it('shows ports, networks and ids in the job context', async () => {
  const backend = referenceBackend({ capabilities: native });
  const steps = `- run: echo "\${{ job.services.db.ports['5432'] }} \${{ job.services.db.network == job.container.network }} \${{ job.container.id }} \${{ job.services.cache.id }}"`;
  const { job } = await runSteps(steps, { backend, head: withServices });
  const [row = ''] = job().steps();
  expect(row).toMatch(/^5432 true job-one-[0-9a-f]+-job job-one-[0-9a-f]+-service-cache$/);
});

it('ends the other services when one fails, and removes those that were made', async () => {
  const stopped = vi.fn<(id: string) => void>();
  const backend = altered(referenceBackend({ capabilities: native }), ({ createServiceContainer: create }) => ({
    createServiceContainer: async (...[spec, ctx]: Parameters<NonNullable<typeof create>>) => {
      const service = await create?.(spec, ctx);
      const waitReady: ServiceContainer['waitReady'] = async ({ signal }) => {
        if (spec.id === 'cache') throw new TypeError('the cache is broken');
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        stopped(spec.id);
      };
      return { ...service, waitReady };
    },
  }));
  const { results, job } = await runSteps('- run: "true"', { backend, head: withServices });
  expect(results.get('one')?.result).toBe('failure');
  expect(job().text()).toContain('the cache is broken');
  expect(stopped).toHaveBeenCalledWith('db');
  expect(calls(backend, 'removeContainer')).toHaveLength(3);
  expect(backend.environments()).toEqual([]);
});

it('reports what a removal left in the log of the process, and not in the result', async () => {
  const backend = referenceBackend({ faults: { removeLeaks: true } });
  const { results, logged, job } = await runSteps('- run: "true"', { backend });
  expect(results.get('one')?.result).toBe('success');
  expect(job().text()).not.toContain('left');
  expect(logged).toMatchObject([{ level: 'warn', message: 'could not be removed, left to the next sweep' }]);
  await sweep(backend);
});

it('reports a removal that fails in the same way', async () => {
  const backend = referenceBackend({ faults: { removeRejects: true } });
  const { results, logged } = await runSteps('- run: "true"', { backend });
  expect(results.get('one')?.result).toBe('success');
  expect(logged).toMatchObject([
    { level: 'error', fields: { error: expect.stringContaining('cannot remove') as string } },
  ]);
  await sweep(backend);
});

it('takes what is gone already for removed', async () => {
  const gone = Object.assign(new Error('gone'), {
    code: 'not_found',
    [Symbol.for('forgejo-runner.backend-error.v1')]: true,
  });
  const backend = altered(referenceBackend(), (environment) => ({
    remove: async (ctx: CallContext) => {
      await environment.remove(ctx);
      throw gone;
    },
  }));
  expect((await runSteps('- run: "true"', { backend })).logged).toEqual([]);
});

it('removes a cancelled job with a context of its own', async () => {
  const seen: boolean[] = [];
  const backend = altered(referenceBackend(), (environment) => ({
    remove: async (ctx: CallContext) => {
      seen.push(ctx.signal.aborted);
      expect(ctx.deadline).toBeGreaterThan(Date.now());
      return environment.remove(ctx);
    },
  }));
  const cancel = new AbortController();
  const hurry = new AbortController();
  const run = await startYaml(jobOf('- run: echo here; sleep 60'), {
    backend,
    signal: cancel.signal,
    hurry: hurry.signal,
  });
  await eventually(() => run.jobs[0]?.steps().includes('here'));
  cancel.abort();
  hurry.abort();
  expect((await run.done).get('one')?.result).toBe('cancelled');
  expect(seen).toEqual([false]);
});

it('fails the step whose outcome was lost, and goes on where the environment still is', async () => {
  const backend = referenceBackend({ faults: { execLost: (argv) => argv.at(-1)?.includes('/0/') === true } });
  const { job, results } = await runSteps('- run: echo one\n- run: echo two\n- run: echo three\n  if: always()', {
    backend,
  });
  expect(job().results()).toEqual(['failure/failure', 'skipped/skipped', 'success/success']);
  expect(job().text()).toContain('##[error]The outcome of the step is unknown');
  expect(results.get('one')?.result).toBe('failure');
});

it('runs nothing more in an environment that is gone', async () => {
  const backend = referenceBackend({ faults: { execLost: (argv) => argv.at(-1)?.includes('/0/') === true } });
  const dead = altered(backend, () => ({ state: async () => ({ alive: false, reason: 'oom' }) }));
  const { job, results } = await runSteps('- run: echo one\n- run: echo two\n  if: always()', { backend: dead });
  expect(job().results()).toEqual(['failure/failure', 'skipped/skipped']);
  expect(job().text()).toContain('The environment is gone (oom); later steps cannot run');
  expect(results.get('one')?.result).toBe('failure');
});

async function sweep(backend: ReferenceBackend): Promise<void> {
  backend.faults.removeLeaks = false;
  backend.faults.removeRejects = false;
  const owner = { runner: 'runner', boot: 'next' };
  const again = await backend.factory.create(
    { config: {}, owner, stateDir: '/nowhere', apiVersion: '1.0.0', addMask: () => {} },
    callContext(),
  );
  await again.sweep({ owner, keep: [], otherBoots: 'remove', dryRun: false }, callContext());
}
