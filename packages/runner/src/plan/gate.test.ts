import type { ContainerField, ContainerSupport, JobPlan } from '@forgejo-runner/core';
import { expect, it } from 'vitest';
import { effectiveContainers, unmet } from './gate.ts';
import type { StepContainerUse } from './plan-steps.ts';

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

const none: ContainerSupport = { via: 'none' };
const endpoint: ContainerSupport = { via: 'docker-endpoint' };
const runs: StepContainerUse = { step: 4, uses: ['acme/scan@v2'], needs: 'run' };
const builds: StepContainerUse = { step: 5, uses: ['acme/outer@v1', 'acme/lint@v2'], needs: 'build' };

interface Row {
  readonly what: string;
  readonly plan?: JobPlan;
  readonly uses?: readonly StepContainerUse[];
  readonly containers: ContainerSupport;
  readonly driver?: readonly ContainerField[];
  readonly stepFields?: readonly ContainerField[];
  readonly expected: readonly string[];
}

it.each<Row>([
  { what: 'a job without containers runs anywhere', containers: none, expected: [] },
  {
    what: 'an action that is not read yet does not stop a job',
    plan: { ...nothing, stepContainers: 'unknown' },
    containers: none,
    expected: [],
  },
  { what: 'a job container', plan: withJobContainer, containers: none, expected: ['the job needs a container'] },
  { what: 'services', plan: withService, containers: none, expected: ['services.db needs a container'] },
  { what: 'Docker actions', uses: [runs], containers: none, expected: ['step 4 (acme/scan@v2) needs a container'] },
  {
    what: 'everything that is missing is listed',
    plan: { ...withService, ...withJobContainer, services: withService.services },
    uses: [runs, builds],
    containers: none,
    expected: [
      'the job needs a container',
      'services.db needs a container',
      'step 4 (acme/scan@v2) needs a container',
      'step 5 (acme/outer@v1 using acme/lint@v2) needs a container',
    ],
  },
  {
    what: 'native containers of all kinds are enough',
    plan: withJobContainer,
    uses: [runs, builds],
    containers: native(),
    expected: [],
  },
  {
    what: 'a backend without job containers',
    plan: withJobContainer,
    containers: native({ job: false }),
    expected: ['the job needs a container'],
  },
  {
    what: 'a backend without services',
    plan: withService,
    containers: native({ services: false }),
    expected: ['services.db needs a container'],
  },
  {
    what: 'a backend without step containers',
    uses: [runs],
    containers: native({ steps: false }),
    expected: ['step 4 (acme/scan@v2) needs a container'],
  },
  {
    what: 'a backend that cannot build',
    uses: [runs, builds],
    containers: native({ build: false }),
    expected: ['step 5 (acme/outer@v1 using acme/lint@v2) needs an image that is built'],
  },
  { what: 'a backend with all fields that are used', plan: withService, containers: native(), expected: [] },
  {
    what: 'a field that the backend does not honour',
    plan: withService,
    containers: native({ fields: ['ports'] }),
    expected: ['services.db uses volumes, memory'],
  },
  {
    what: 'delegation without a driver',
    plan: withService,
    uses: [runs],
    containers: endpoint,
    expected: [
      'services.db needs a container, and for that the package @forgejo-runner/backend-docker',
      'step 4 (acme/scan@v2) needs a container, and for that the package @forgejo-runner/backend-docker',
    ],
  },
  {
    what: 'delegation with a driver is as good as containers of its own',
    plan: { ...withService, ...withJobContainer, services: withService.services },
    uses: [runs, builds],
    containers: endpoint,
    driver: ['ports', 'volumes', 'memory'],
    expected: [],
  },
  {
    what: 'a field that the driver does not honour',
    plan: withService,
    containers: endpoint,
    driver: ['ports', 'volumes'],
    expected: ['services.db uses memory'],
  },
  {
    what: 'a driver is none for a backend that hands out no endpoint',
    plan: withService,
    containers: none,
    driver: ['ports', 'volumes', 'memory'],
    expected: ['services.db needs a container'],
  },
  {
    what: 'a health check of its own, or other times for that of the image',
    plan: {
      ...nothing,
      services: [
        { ...container, kind: 'service', id: 'a', aliases: [], healthcheck: { ...healthcheck, test: ['CMD', 'true'] } },
        { ...container, kind: 'service', id: 'b', aliases: [], healthcheck: { ...healthcheck, test: 'image' } },
        {
          ...container,
          kind: 'service',
          id: 'c',
          aliases: [],
          healthcheck: { test: 'image', intervalMs: 0, timeoutMs: 0, retries: 0, startPeriodMs: 0 },
        },
      ],
    },
    containers: native(),
    expected: ['services.a uses healthcheck', 'services.b uses healthcheck'],
  },
  {
    what: 'what the administrator gives containers of steps',
    uses: [runs],
    containers: native(),
    stepFields: ['memory', 'pidsLimit'],
    expected: ['step 4 (acme/scan@v2) uses pidsLimit'],
  },
])('$what', ({ plan = nothing, uses: containerUses = [], containers, driver, stepFields = [], expected }) => {
  expect(unmet({ plan, containerUses, stepFields }, effectiveContainers(containers, driver))).toEqual(expected);
});
