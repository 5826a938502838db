import { expect, it } from 'vitest';
import type { ContainerSupport } from './capabilities.ts';
import type { JobPlan, ServiceContainerSpec } from './plan.ts';
import { unmet, usedFields } from './unmet.ts';

const container = { image: 'debian', pull: 'missing', env: {}, mounts: [], ports: [], options: {} } as const;
const check = { intervalMs: 0, timeoutMs: 0, retries: 0, startPeriodMs: 0 } as const;
const db: ServiceContainerSpec = {
  ...container,
  kind: 'service',
  id: 'db',
  aliases: [],
  mounts: [{ source: 'a', target: '/a', readOnly: false }],
  healthcheck: { ...check, test: 'image' },
};
const plan: JobPlan = { jobContainer: { ...container, kind: 'job' }, services: [db], stepContainers: 'build' };
const needs = {
  plan,
  steps: [{ where: 'step 2 (./scan)', needs: 'build' } as const],
  stepFields: ['memory'],
};
const all: ContainerSupport = { via: 'native', job: true, services: true, steps: true, build: true, fields: [] };

it.each<[string, ContainerSupport, readonly string[]]>([
  [
    'no containers at all',
    { via: 'none' },
    ['the job needs a container', 'services.db needs a container', 'step 2 (./scan) needs a container'],
  ],
  ['all kinds but no field', all, ['services.db uses volumes', 'step 2 (./scan) uses memory']],
  [
    'nothing to build with',
    { ...all, build: false, fields: ['volumes'] },
    ['step 2 (./scan) needs an image that is built'],
  ],
  ['everything', { ...all, fields: ['volumes', 'memory'] }, []],
])('lists what a job misses where there is %s', (_, containers, expected) => {
  expect(unmet(needs, containers)).toEqual(expected);
});

it('counts a field as used where it has content', () => {
  expect(usedFields(db)).toEqual(['volumes']);
  expect(usedFields({ ...db, healthcheck: { ...check, test: ['CMD', 'true'] } })).toEqual(['volumes', 'healthcheck']);
  expect(usedFields({ ...container, env: { A: '1' }, cmd: [], options: { memory: '1g', cpus: undefined } })).toEqual([
    'env',
    'cmd',
    'memory',
  ]);
});
