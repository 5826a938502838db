import {
  type CallContext,
  type Container,
  type ExecutionEnvironment,
  isBackendError,
  type RemoveReport,
  type ServiceContainer,
  type StepContainer,
  type Target,
} from '@forgejo-runner/core';
import type { Observe, OperationName } from './backend-operation.ts';

/**
 * An environment whose calls are followed to their ends. Processes are not among them: they take as long as their
 * commands do, and have spans of their own.
 */
export function observedEnvironment(environment: ExecutionEnvironment, observe: Observe): ExecutionEnvironment {
  const { id, name, info, target } = environment;
  return {
    id,
    name,
    info,
    ...(target === undefined ? {} : { target: observedTarget(target, observe) }),
    ...containerMethods(environment, observe),
    state: (ctx) => environment.state(ctx),
    ...removal(environment, 'remove', observe),
  };
}

type ContainerMethods = Pick<
  ExecutionEnvironment,
  'createJobContainer' | 'createServiceContainer' | 'createStepContainer' | 'buildImage' | 'dockerEndpoint'
>;

/** Methods are there where the environment has them: that says what it can do. */
export function containerMethods<T extends ContainerMethods>(
  made: T,
  observe: Observe,
): Pick<T, keyof T & keyof ContainerMethods> {
  const { createJobContainer, createServiceContainer, createStepContainer, buildImage, dockerEndpoint } = made;
  const methods: ContainerMethods = {
    ...(createJobContainer === undefined
      ? {}
      : {
          createJobContainer: async (spec, ctx) =>
            observedContainer(
              await observe('createJobContainer', () => createJobContainer.call(made, spec, ctx)),
              observe,
            ),
        }),
    ...(createServiceContainer === undefined
      ? {}
      : {
          createServiceContainer: async (spec, ctx) =>
            observedService(
              await observe('createServiceContainer', () => createServiceContainer.call(made, spec, ctx)),
              observe,
            ),
        }),
    ...(createStepContainer === undefined
      ? {}
      : {
          createStepContainer: async (spec, ctx) =>
            observedStep(
              await observe('createStepContainer', () => createStepContainer.call(made, spec, ctx)),
              observe,
            ),
        }),
    ...(buildImage === undefined
      ? {}
      : { buildImage: (request, ctx) => observe('buildImage', () => buildImage.call(made, request, ctx)) }),
    ...(dockerEndpoint === undefined
      ? {}
      : { dockerEndpoint: (ctx) => observe('dockerEndpoint', () => dockerEndpoint.call(made, ctx)) }),
  };
  // Each method is there if and only if it was there before.
  return methods as Pick<T, keyof T & keyof ContainerMethods>;
}

function observedContainer(container: Container, observe: Observe): Container {
  const { id, network, info } = container;
  return {
    id,
    ...(network === undefined ? {} : { network }),
    ...(info === undefined ? {} : { info }),
    ...observedTarget(container, observe),
    state: (ctx) => container.state(ctx),
    ...removal(container, 'removeJobContainer', observe),
  };
}

function observedService(service: ServiceContainer, observe: Observe): ServiceContainer {
  const { id, network, hostnames, ports, logs } = service;
  return {
    id,
    ...(network === undefined ? {} : { network }),
    hostnames,
    ports,
    waitReady: (ctx) => observe('waitReady', () => service.waitReady(ctx)),
    ...(logs === undefined ? {} : { logs: (sink, ctx) => logs.call(service, sink, ctx) }),
    ...removal(service, 'removeServiceContainer', observe),
  };
}

function observedStep(step: StepContainer, observe: Observe): StepContainer {
  return {
    id: step.id,
    run: (io, ctx) => step.run(io, ctx),
    ...removal(step, 'removeStepContainer', observe),
  };
}

function observedTarget(target: Target, observe: Observe): Target {
  const { sharedPath } = target;
  return {
    baseEnv: target.baseEnv,
    exec: (request, ctx) => target.exec(request, ctx),
    copyIn: (request, ctx) => observe('copyIn', () => target.copyIn(request, ctx)),
    copyOut: (request, ctx) => observedChunks(() => target.copyOut(request, ctx), observe),
    ...(sharedPath === undefined ? {} : { sharedPath: (path) => sharedPath.call(target, path) }),
  };
}

/** From the first chunk that somebody asks for until they have the last, or want no more. */
async function* observedChunks(
  open: () => AsyncIterable<Uint8Array>,
  observe: Observe,
): AsyncGenerator<Uint8Array, void> {
  const end = Promise.withResolvers<void>();
  const observed = observe('copyOut', () => end.promise).catch(() => {});
  try {
    yield* open();
  } catch (error) {
    // Whether a file is there is asked in this way.
    if (!isBackendError(error) || error.code !== 'not_found') end.reject(error);
    throw error;
  } finally {
    end.resolve();
    await observed;
  }
}

type Removed = AsyncDisposable & { readonly remove: (ctx: CallContext) => Promise<RemoveReport> };

export function removal(made: Removed, operation: OperationName, observe: Observe): Removed {
  return {
    remove: (ctx) => observe(operation, () => made.remove(ctx)),
    [Symbol.asyncDispose]: () => made[Symbol.asyncDispose](),
  };
}
