import type { JsonObject, MessageInitShape } from '@bufbuild/protobuf';
import { durationFromMs, durationMs } from '@bufbuild/protobuf/wkt';
import {
  BackendError,
  type ContainerSpec,
  type Healthcheck,
  type JobContainerSpec,
  type JobPlan,
  type ServiceContainerSpec,
  type StepContainerSpec,
} from '@forgejo-runner/core';
import {
  type ContainerSpecSchema,
  type ContainerSpec as WireSpec,
  type Healthcheck as WireCheck,
  type HealthcheckSchema,
  type PlanSchema,
  type Plan as WirePlan,
  PullPolicy,
} from './gen/forgejo/runner/backend/v1/backend_pb.ts';

type AnySpec = JobContainerSpec | ServiceContainerSpec | StepContainerSpec;

const policies = {
  missing: PullPolicy.MISSING,
  always: PullPolicy.ALWAYS,
  never: PullPolicy.NEVER,
} as const satisfies Record<ContainerSpec['pull'], PullPolicy>;

const policyNames: Readonly<Record<PullPolicy, ContainerSpec['pull']>> = {
  [PullPolicy.UNSPECIFIED]: 'missing',
  [PullPolicy.MISSING]: 'missing',
  [PullPolicy.ALWAYS]: 'always',
  [PullPolicy.NEVER]: 'never',
};

/** The containers of a job, for the wire. */
export function planToWire(plan: JobPlan): MessageInitShape<typeof PlanSchema> {
  return {
    ...(plan.jobContainer === undefined ? {} : { jobContainer: specToWire(plan.jobContainer) }),
    services: plan.services.map(specToWire),
    stepContainers: plan.stepContainers,
  };
}

/** The containers of a job, as a runner sent them. @throws BackendError `plan` for what nobody may send. */
export function planFromWire(wire: WirePlan | undefined): JobPlan {
  const jobContainer = wire?.jobContainer === undefined ? undefined : specFromWire(wire.jobContainer);
  if (jobContainer !== undefined && jobContainer.kind !== 'job')
    throw wrong('a container of the job', jobContainer.kind);
  const services = (wire?.services ?? []).map(specFromWire).map((spec) => {
    if (spec.kind !== 'service') throw wrong('a service', spec.kind);
    return spec;
  });
  const { stepContainers = 'none' } = wire ?? {};
  if (!['none', 'run', 'build', 'unknown'].includes(stepContainers))
    throw wrong('none, run, build or unknown', stepContainers);
  // It is one of these four.
  return {
    services,
    stepContainers: stepContainers as JobPlan['stepContainers'],
    ...(jobContainer === undefined ? {} : { jobContainer }),
  };
}

/** One container, for the wire. */
export function specToWire(spec: AnySpec): MessageInitShape<typeof ContainerSpecSchema> {
  const { image, pull, credentials, env, mounts, ports, entrypoint, cmd, options } = spec;
  return {
    image,
    pull: policies[pull],
    ...(credentials === undefined ? {} : { credentials: { server: '', ...credentials } }),
    env: { ...env },
    mounts: mounts.map((one) => ({ ...one })),
    ports: ports.map((one) => ({ ...one })),
    entrypoint: [...(entrypoint ?? [])],
    entrypointSet: entrypoint !== undefined,
    cmd: [...(cmd ?? [])],
    cmdSet: cmd !== undefined,
    options: jsonOf(options),
    kind: kindToWire(spec),
  };
}

function kindToWire(spec: AnySpec): NonNullable<MessageInitShape<typeof ContainerSpecSchema>['kind']> {
  if (spec.kind === 'job') return { case: 'job', value: {} };
  if (spec.kind === 'step') return { case: 'step', value: { stepId: spec.stepId, workdir: spec.workdir } };
  const { id, aliases, healthcheck } = spec;
  const check = healthcheck.test === 'none' ? {} : { healthcheck: checkToWire(healthcheck) };
  return { case: 'service', value: { id, aliases: [...aliases], ...check } };
}

function checkToWire(check: Healthcheck): MessageInitShape<typeof HealthcheckSchema> {
  return {
    ...(typeof check.test === 'string' ? { fromImage: true } : { test: [...check.test] }),
    interval: durationFromMs(check.intervalMs),
    timeout: durationFromMs(check.timeoutMs),
    retries: check.retries,
    startPeriod: durationFromMs(check.startPeriodMs),
  };
}

/** One container, as a runner sent it. @throws BackendError `plan` for what nobody may send. */
export function specFromWire(wire: WireSpec): AnySpec {
  const { credentials: login } = wire;
  const common: ContainerSpec = {
    image: wire.image,
    pull: policyNames[wire.pull] ?? 'missing',
    ...(login === undefined
      ? {}
      : {
          credentials: {
            username: login.username,
            password: login.password,
            ...(login.server === '' ? {} : { server: login.server }),
          },
        }),
    env: wire.env,
    mounts: wire.mounts.map(({ source, target, readOnly }) => ({ source, target, readOnly })),
    ports: wire.ports.map(({ container, host, protocol }) => ({
      container,
      ...(host === undefined ? {} : { host }),
      protocol: protocolOf(protocol),
    })),
    ...(wire.entrypointSet ? { entrypoint: wire.entrypoint } : {}),
    ...(wire.cmdSet ? { cmd: wire.cmd } : {}),
    // Which fields may stand here the capabilities of the label say, and the runner has compared.
    options: wire.options ?? {},
  };
  const { kind } = wire;
  if (kind.case === 'job') return { ...common, kind: 'job' };
  if (kind.case === 'step') {
    return { ...common, kind: 'step', stepId: kind.value.stepId, workdir: kind.value.workdir };
  }
  if (kind.case !== 'service') throw wrong('a container of a job, service or step', 'another kind');
  const { id, aliases, healthcheck } = kind.value;
  return { ...common, kind: 'service', id, aliases, healthcheck: checkFromWire(healthcheck) };
}

function checkFromWire(wire: WireCheck | undefined): Healthcheck {
  return {
    test: wire === undefined ? 'none' : wire.fromImage ? 'image' : wire.test,
    intervalMs: msOf(wire?.interval),
    timeoutMs: msOf(wire?.timeout),
    retries: wire?.retries ?? 0,
    startPeriodMs: msOf(wire?.startPeriod),
  };
}

function msOf(duration: WireCheck['interval']): number {
  return duration === undefined ? 0 : durationMs(duration);
}

/** `tcp` or `udp`. @throws BackendError `plan` for anything else. */
export function protocolOf(text: string): 'tcp' | 'udp' {
  if (text === 'tcp' || text === 'udp') return text;
  throw wrong('tcp or udp', text);
}

/** A value as JSON has it: what is undefined there is left out. */
export function jsonOf(value: Readonly<Record<string, unknown>>): JsonObject {
  // Through text, so that it is JSON and nothing else.
  return JSON.parse(JSON.stringify(value)) as JsonObject;
}

function wrong(expected: string, found: string): BackendError {
  return new BackendError('plan', `expected ${expected}, found ${JSON.stringify(found.slice(0, 200))}`);
}
