import type { Backend, ExecutionEnvironment } from '@forgejo-runner/core';
import { callContext, type ReferenceBackend, referenceBackend } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';
import type { BackendOperation } from '../src/daemon/backend-operation.ts';
import { observedBackend } from '../src/daemon/observed-backend.ts';
import { observedDriver } from '../src/daemon/observed-driver.ts';
import { failOnLeaks, native } from './altered-backend.ts';
import { fakeDriver } from './fake-driver.ts';
import { runSteps } from './run-yaml.ts';

failOnLeaks();

/** A backend whose operations are told of, and what was told. */
function observed(backend: ReferenceBackend): {
  readonly backend: ReferenceBackend;
  readonly told: BackendOperation[];
} {
  const told: BackendOperation[] = [];
  const create: ReferenceBackend['factory']['create'] = async (input, ctx) =>
    observedBackend(await backend.factory.create(input, ctx), 'mine', (operation) => told.push(operation));
  return { backend: { ...backend, factory: { ...backend.factory, create } }, told };
}

const names = (told: readonly BackendOperation[]): readonly string[] => told.map(({ operation }) => operation);

const head = 'container: alpine\nservices:\n  db: postgres';
const steps = `- run: "true"
- { uses: "docker://alpine" }
- uses: ./built`;
const files = {
  'built/action.yml': 'name: built\nruns: { using: docker, image: Dockerfile }\n',
  'built/Dockerfile': 'FROM scratch\n',
};

it('tells of each call that a job with containers makes, from its environment to the removal', async () => {
  const { backend, told } = observed(referenceBackend({ capabilities: native }));
  const { results, job } = await runSteps(steps, { backend, head, files });
  expect(job().text()).not.toContain('##[error]');
  expect(results.get('one')?.result).toBe('success');
  const seldom = names(told).filter((name) => !name.startsWith('copy'));
  expect(seldom).toEqual([
    'resolveLabel',
    'createEnvironment',
    'createServiceContainer',
    'createJobContainer',
    'waitReady',
    'createStepContainer',
    'removeStepContainer',
    'buildImage',
    'createStepContainer',
    'removeStepContainer',
    'removeJobContainer',
    'removeServiceContainer',
    'remove',
  ]);
  expect(names(told)).toContain('copyIn');
  for (const one of told) {
    expect(one).toEqual({ backend: 'mine', operation: one.operation, durationMs: expect.any(Number) });
  }
});

it('tells of what the Docker driver does at the endpoint of an environment', async () => {
  const reference = referenceBackend({ capabilities: { containers: { via: 'docker-endpoint' } } });
  const { backend, told } = observed(reference);
  const driver = observedDriver(fakeDriver(reference), (operation) => told.push(operation));
  const { results } = await runSteps(steps, { backend, head, files, driver });
  expect(results.get('one')?.result).toBe('success');
  const byDriver = told.filter((one) => one.backend === 'docker-driver');
  expect(names(byDriver)).toEqual(
    expect.arrayContaining(['open', 'createJobContainer', 'createServiceContainer', 'createStepContainer']),
  );
  expect(names(byDriver)).toEqual(
    expect.arrayContaining(['waitReady', 'buildImage', 'removeJobContainer', 'removeServiceContainer']),
  );
  expect(names(byDriver).at(-1)).toBe('removeContainers');
  expect(names(told)).toContain('dockerEndpoint');
});

it('says why a call failed', async () => {
  const { backend, told } = observed(
    referenceBackend({ capabilities: native, faults: { serviceNeverReady: 'timeout', removeRejects: true } }),
  );
  const { results, backend: used } = await runSteps('- run: "true"', { backend, head });
  expect(results.get('one')?.result).toBe('failure');
  const failures = told.flatMap(({ operation, failure }) => (failure === undefined ? [] : [[operation, failure]]));
  expect(failures).toEqual([
    ['waitReady', 'timeout'],
    // The reference backend throws what is no error of the contract.
    ['remove', 'defect'],
  ]);
  for (const name of used.environments()) await used.endEnvironment(name);
});

const input = {
  config: {},
  owner: { runner: 'r', boot: 'b' },
  stateDir: '/nowhere',
  apiVersion: '1.0.0',
  addMask: () => {},
};

async function create(backend: Backend, name: string): Promise<ExecutionEnvironment> {
  const configuration = { name: 'x', backend: 'reference', options: {}, form: 'string' } as const;
  return backend.createEnvironment(
    {
      name,
      task: { id: '1', attempt: 1, repository: 'a/b', workflow: 'w', job: 'j' },
      owner: input.owner,
      label: await backend.resolveLabel(configuration, callContext()),
      plan: { services: [], stepContainers: 'none' },
      expiresAt: Date.now() + 60_000,
    },
    callContext(),
  );
}

it.each([{}, { recover: true }, { ...native, recover: true }])(
  'has the methods that a backend with %j has, and no others',
  async (capabilities) => {
    const plain = await referenceBackend({ capabilities }).factory.create(input, callContext());
    const seen = observedBackend(plain, 'reference');
    expect(keysOf(seen)).toEqual(keysOf(plain));
    await using environment = await create(seen, 'seen');
    await using other = await create(plain, 'plain');
    expect(keysOf(environment)).toEqual(keysOf(other));
    expect(keysOf(environment.target ?? {})).toEqual(keysOf(other.target ?? {}));
  },
);

it('follows files on their way out until the last, until nobody wants more, until they fail or are not there', async () => {
  const { backend, told } = observed(referenceBackend());
  const made = await backend.factory.create(input, callContext());
  await using environment = await create(made, 'env');
  const { target, info } = environment;
  if (target === undefined) throw new Error('expected a target');
  const copyOut = (src: string) => target.copyOut({ src }, callContext());
  for await (const chunk of copyOut(info.paths.workspace)) {
    expect(names(told)).not.toContain('copyOut');
    expect(chunk.length).toBeGreaterThan(0);
    break;
  }
  expect(told.at(-1)).toEqual({ backend: 'mine', operation: 'copyOut', durationMs: expect.any(Number) });
  await expect(Array.fromAsync(copyOut(info.paths.workspace))).resolves.not.toEqual([]);
  expect(names(told).filter((name) => name === 'copyOut')).toHaveLength(2);
  await expect(Array.fromAsync(copyOut('/nowhere/at/all'))).rejects.toThrow('/nowhere/at/all');
  expect(told.at(-1)).toEqual({ backend: 'mine', operation: 'copyOut', durationMs: expect.any(Number) });
  const cancelled = target.copyOut({ src: info.paths.workspace }, callContext(AbortSignal.abort()));
  await expect(Array.fromAsync(cancelled)).rejects.toMatchObject({ code: 'cancelled' });
  expect(told.at(-1)).toMatchObject({ operation: 'copyOut', failure: 'cancelled' });
});

/** What the testkit adds for itself is none of the contract's. */
function keysOf(value: object): readonly string[] {
  return Reflect.ownKeys(value)
    .map(String)
    .filter((key) => key !== 'sweepAway' && key !== 'expiresAt')
    .toSorted();
}
