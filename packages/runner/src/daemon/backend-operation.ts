import { isBackendError } from '@forgejo-runner/core';
import { traced } from '../trace.ts';

/** Name of a call of the contract with backends; those that remove say what. */
export type OperationName =
  | 'resolveLabel'
  | 'createEnvironment'
  | 'remove'
  | 'sweep'
  | 'prune'
  | 'recover'
  | 'dockerEndpoints'
  | 'dockerEndpoint'
  | 'open'
  | 'createJobContainer'
  | 'removeJobContainer'
  | 'createServiceContainer'
  | 'waitReady'
  | 'removeServiceContainer'
  | 'createStepContainer'
  | 'removeStepContainer'
  | 'removeContainers'
  | 'buildImage'
  | 'copyIn'
  | 'copyOut';

/** One call of a backend that came to its end. */
export interface BackendOperation {
  /** By the name that the configuration gave it. */
  readonly backend: string;
  readonly operation: OperationName;
  readonly durationMs: number;
  /** Word of the contract for why it failed. */
  readonly failure?: string;
}

/** Has somebody know of calls that ended. */
export type OnOperation = (operation: BackendOperation) => void;

/** Follows one call to its end: in a span, and told of. */
export type Observe = <T>(operation: OperationName, work: () => Promise<T>) => Promise<T>;

/** Follows the calls of one backend. */
export function observer(backend: string, onOperation: OnOperation = () => {}): Observe {
  return (operation, work) =>
    traced(`backend.${operation}`, { backend }, async (span) => {
      const startedAt = performance.now();
      const told = (): BackendOperation => ({ backend, operation, durationMs: performance.now() - startedAt });
      try {
        const value = await work();
        onOperation(told());
        return value;
      } catch (error) {
        const failure = isBackendError(error) ? error.code : 'defect';
        span.setAttribute('failure', failure);
        onOperation({ ...told(), failure });
        throw error;
      }
    });
}
