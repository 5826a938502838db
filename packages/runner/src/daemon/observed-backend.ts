import { type Backend, isBackendError } from '@forgejo-runner/core';
import { traced } from '../trace.ts';

/** One call of a backend that came to its end. */
export interface BackendOperation {
  /** By the name that the configuration gave it. */
  readonly backend: string;
  /** Name of the method. */
  readonly operation: 'resolveLabel' | 'createEnvironment' | 'sweep';
  readonly durationMs: number;
  /** Word of the contract for why it failed. */
  readonly failure?: string;
}

/** A backend by the name that the configuration gave it, with each of its operations in a span and told of. */
export function observedBackend(
  backend: Backend,
  id: string,
  observe: (operation: BackendOperation) => void = () => {},
): Backend {
  const call = <T>(operation: BackendOperation['operation'], work: () => Promise<T>): Promise<T> =>
    traced(`backend.${operation}`, { backend: id }, async (span) => {
      const startedAt = performance.now();
      const told = (): Omit<BackendOperation, 'failure'> => ({
        backend: id,
        operation,
        durationMs: performance.now() - startedAt,
      });
      try {
        const value = await work();
        observe(told());
        return value;
      } catch (error) {
        const failure = isBackendError(error) ? error.code : 'defect';
        span.setAttribute('failure', failure);
        observe({ ...told(), failure });
        throw error;
      }
    });
  return {
    id,
    resolveLabel: (label, ctx) => call('resolveLabel', () => backend.resolveLabel(label, ctx)),
    createEnvironment: (request, ctx) => call('createEnvironment', () => backend.createEnvironment(request, ctx)),
    sweep: (request, ctx) => call('sweep', () => backend.sweep(request, ctx)),
    health: (ctx) => backend.health(ctx),
    ...optionalMethods(backend),
    [Symbol.asyncDispose]: () => backend[Symbol.asyncDispose](),
  };
}

function optionalMethods(backend: Backend): Pick<Backend, 'dockerEndpoints' | 'prune' | 'recover'> {
  const { dockerEndpoints, prune, recover } = backend;
  return {
    ...(dockerEndpoints === undefined ? {} : { dockerEndpoints: (ctx) => dockerEndpoints.call(backend, ctx) }),
    ...(prune === undefined ? {} : { prune: (request, ctx) => prune.call(backend, request, ctx) }),
    ...(recover === undefined ? {} : { recover: (request, ctx) => recover.call(backend, request, ctx) }),
  };
}
