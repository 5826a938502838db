import type { Capabilities, ContainerSupport, JobPlan } from '@forgejo-runner/core';
import { expect, it } from 'vitest';
import { unmet } from './gate.ts';

const container = { image: 'debian', pull: 'missing', env: {}, mounts: [], ports: [], options: {} } as const;
const healthcheck = { test: 'none', intervalMs: 1, timeoutMs: 1, retries: 1, startPeriodMs: 0 } as const;
const nothing: JobPlan = { services: [], stepContainers: 'none' };
const withJobContainer: JobPlan = { ...nothing, jobContainer: { ...container, kind: 'job' } };
const withService: JobPlan = {
  ...nothing,
  services: [
    {
      ...container,
      kind: 'service',
      id: 'db',
      aliases: ['db'],
      healthcheck,
      mounts: [{ source: 'a', target: '/a', readOnly: false }],
      ports: [{ container: 5432, protocol: 'tcp' }],
      options: { memory: '1g' },
    },
  ],
};

function native(over: Partial<Extract<ContainerSupport, { via: 'native' }>> = {}): ContainerSupport {
  return {
    via: 'native',
    job: true,
    services: true,
    steps: true,
    build: true,
    fields: ['ports', 'volumes', 'memory'],
    ...over,
  };
}

function capable(containers: ContainerSupport): Capabilities {
  return {
    containers,
    exec: { stdin: true, tty: false, user: false, signals: true, resume: false },
    files: { ownership: false, shared: false },
    isolation: 'none',
    recover: false,
    features: [],
  };
}

const none: ContainerSupport = { via: 'none' };
const endpoint: ContainerSupport = { via: 'docker-endpoint' };

it.each<[string, JobPlan, ContainerSupport, readonly string[]]>([
  ['a job without containers runs anywhere', nothing, none, []],
  ['an action that is not read yet does not stop a job', { ...nothing, stepContainers: 'unknown' }, none, []],
  ['a job container needs containers', withJobContainer, none, ['container']],
  ['services need containers', withService, none, ['services.db']],
  ['Docker actions need containers', { ...nothing, stepContainers: 'run' }, none, ['Docker actions']],
  [
    'everything that is missing is listed',
    { ...withJobContainer, ...withService, stepContainers: 'run', jobContainer: { ...container, kind: 'job' } },
    none,
    ['container', 'services.db', 'Docker actions'],
  ],
  ['native containers of all kinds are enough', { ...withJobContainer, stepContainers: 'build' }, native(), []],
  ['a backend without job containers', withJobContainer, native({ job: false }), ['container']],
  ['a backend without services', withService, native({ services: false }), ['services.db']],
  [
    'a backend without step containers',
    { ...nothing, stepContainers: 'build' },
    native({ steps: false }),
    ['Docker actions'],
  ],
  [
    'a backend that cannot build',
    { ...nothing, stepContainers: 'build' },
    native({ build: false }),
    ['Docker actions that build an image'],
  ],
  ['a backend with all fields that are used', withService, native(), []],
  [
    'a field that the backend does not honour',
    withService,
    native({ fields: ['ports'] }),
    ['services.db uses volumes, memory'],
  ],
  [
    'delegation without a driver',
    withService,
    endpoint,
    ['services.db (needs the package @forgejo-runner/backend-docker)'],
  ],
])('%s', (_, plan, containers, expected) => {
  expect(unmet(plan, capable(containers))).toEqual(expected);
});
