import type { Backend } from '@forgejo-runner/core';
import { type OnOperation, type Observe, observer } from './backend-operation.ts';
import { observedEnvironment } from './observed-environment.ts';

/**
 * A backend by the name that the configuration gave it, with each of its operations, and of those of its environments, in
 * a span and told of. How it is asks somebody all the time, so that is not among them.
 */
export function observedBackend(backend: Backend, id: string, onOperation?: OnOperation): Backend {
  const observe = observer(id, onOperation);
  return {
    id,
    resolveLabel: (label, ctx) => observe('resolveLabel', () => backend.resolveLabel(label, ctx)),
    createEnvironment: async (request, ctx) => {
      const made = await observe('createEnvironment', () => backend.createEnvironment(request, ctx));
      return observedEnvironment(made, observe);
    },
    sweep: (request, ctx) => observe('sweep', () => backend.sweep(request, ctx)),
    health: (ctx) => backend.health(ctx),
    ...optionalMethods(backend, observe),
    [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose](),
  };
}

function optionalMethods(backend: Backend, observe: Observe): Pick<Backend, 'dockerEndpoints' | 'prune' | 'recover'> {
  const { dockerEndpoints, prune, recover } = backend;
  return {
    ...(dockerEndpoints === undefined
      ? {}
      : { dockerEndpoints: (ctx) => observe('dockerEndpoints', () => dockerEndpoints.call(backend, ctx)) }),
    ...(prune === undefined
      ? {}
      : { prune: (request, ctx) => observe('prune', () => prune.call(backend, request, ctx)) }),
    ...(recover === undefined
      ? {}
      : {
          recover: async (request, ctx) => {
            const found = await observe('recover', () => recover.call(backend, request, ctx));
            return found.map((environment) => observedEnvironment(environment, observe));
          },
        }),
  };
}
