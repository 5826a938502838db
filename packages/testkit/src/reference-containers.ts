import {
  BackendError,
  type Container,
  type ExecRequest,
  type ExecutionEnvironment,
  type JobContainerSpec,
  type RemoveReport,
  type ServiceContainer,
  type ServiceContainerSpec,
  type StepContainer,
  type StepContainerSpec,
} from '@forgejo-runner/core';
import { faultError, type MissingMethod } from './reference-faults.ts';
import type { ReferencePlace } from './reference-state.ts';
import { exec, referenceTarget } from './reference-target.ts';

type ContainerMethods = Pick<
  ExecutionEnvironment,
  'createJobContainer' | 'createServiceContainer' | 'createStepContainer' | 'buildImage' | 'dockerEndpoint'
>;

/** The methods that the claimed capabilities ask for, without those that a fault takes away. */
export function containerMethods(place: ReferencePlace): ContainerMethods {
  const { containers } = place.state.capabilities;
  const missing: readonly MissingMethod[] = place.state.faults.missing ?? [];
  const all: ContainerMethods = {
    ...(containers.via === 'docker-endpoint' ? { dockerEndpoint: dockerEndpoint(place) } : {}),
    ...(containers.via === 'native' && containers.job ? { createJobContainer: createJob(place) } : {}),
    ...(containers.via === 'native' && containers.services ? { createServiceContainer: createService(place) } : {}),
    ...(containers.via === 'native' && containers.steps ? { createStepContainer: createStep(place) } : {}),
    ...(containers.via === 'native' && containers.build ? { buildImage: buildImage(place) } : {}),
  };
  const names: readonly string[] = missing;
  return Object.fromEntries(Object.entries(all).filter(([name]) => !names.includes(name)));
}

function dockerEndpoint({ state, name, folder }: ReferencePlace): NonNullable<ContainerMethods['dockerEndpoint']> {
  return async () => {
    state.record('dockerEndpoint', name);
    // Nobody listens there: whoever dials it learns what a driver makes of a dead endpoint.
    return { address: `unix://${folder.join('docker.sock')}`, binds: 'target-paths', publishedHost: '127.0.0.1' };
  };
}

function createJob(place: ReferencePlace): (spec: JobContainerSpec) => Promise<Container> {
  return async (spec) => {
    place.state.record('createJobContainer', place.name, spec);
    return {
      ...referenceTarget(place),
      id: `${place.name}-job`,
      network: `${place.name}-network`,
      state: async () => ({ alive: place.isAlive() }),
      ...removal(place, `${place.name}-job`),
    };
  };
}

function createService(place: ReferencePlace): (spec: ServiceContainerSpec) => Promise<ServiceContainer> {
  return async (spec) => {
    const { state, name } = place;
    const id = `${name}-service-${spec.id}`;
    state.record('createServiceContainer', name, spec);
    return {
      id,
      network: `${name}-network`,
      hostnames: [spec.id, ...spec.aliases],
      ports: spec.ports.map(({ container, host, protocol }) => {
        return { container, protocol, host: '127.0.0.1', port: host ?? 30_000 + (container % 10_000) };
      }),
      waitReady: async () => {
        state.record('waitReady', name, spec.id);
        if (state.faults.serviceNeverReady === undefined) return;
        throw faultError(state.faults.serviceNeverReady, `service "${spec.id}"`);
      },
      ...removal(place, id),
    };
  };
}

function createStep(place: ReferencePlace): (spec: StepContainerSpec) => Promise<StepContainer> {
  return async (spec) => {
    const id = `${place.name}-step-${spec.stepId}`;
    place.state.record('createStepContainer', place.name, spec);
    return {
      id,
      run: (io, ctx) => {
        const [program, ...args] = [...(spec.entrypoint ?? []), ...(spec.cmd ?? [])];
        const request: ExecRequest = {
          ...io,
          argv: program === undefined ? ['true'] : [program, ...args],
          env: { [place.info.env.pathName]: place.info.env.defaultPath, ...spec.env },
          cwd: place.info.paths.workspace,
        };
        return exec(place, request, ctx);
      },
      ...removal(place, id),
    };
  };
}

function buildImage(place: ReferencePlace): NonNullable<ContainerMethods['buildImage']> {
  return async (request) => {
    let contextBytes = 0;
    for await (const chunk of request.context) contextBytes += chunk.length;
    const { dockerfile, tag, buildArgs } = request;
    place.state.record('buildImage', place.name, { dockerfile, tag, buildArgs, contextBytes });
    if (contextBytes === 0) throw new BackendError('plan', `expected a context for ${tag}, found an empty stream`);
    await request.output(Buffer.from(`built ${tag}\n`));
    return { image: tag };
  };
}

function removal(place: ReferencePlace, id: string): Pick<Container, 'remove' | typeof Symbol.asyncDispose> {
  const remove = async (): Promise<RemoveReport> => {
    place.state.record('removeContainer', place.name, id);
    return { removed: [id], leaked: [] };
  };
  return {
    remove,
    [Symbol.asyncDispose]: async () => {
      await remove();
    },
  };
}
