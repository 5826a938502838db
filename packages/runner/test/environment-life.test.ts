import type { CallContext, ServiceContainer } from '@forgejo-runner/core';
import { callContext, eventually, type ReferenceBackend, referenceBackend } from '@forgejo-runner/testkit';
import { expect, it, vi } from 'vitest';
import { altered, calls, failOnLeaks, native } from './altered-backend.ts';
import { jobOf, runSteps, startYaml } from './run-yaml.ts';

failOnLeaks();

const withServices = 'container: alpine\nservices:\n  db: { image: postgres, ports: ["5432:5432"] }\n  cache: redis';

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
