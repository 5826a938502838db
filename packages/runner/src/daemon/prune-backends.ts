import {
  type Backend,
  type BackendRegistry,
  type CallContext,
  type DockerDriver,
  isBackendError,
  type Logger,
  type Owner,
  type PruneReport,
  type PruneRequest,
} from '@forgejo-runner/core';
import { openCall } from '../environment/call-context.ts';

/** What pruning may remove. */
export interface PruneOptions extends Pick<PruneRequest, 'unusedMs' | 'maxBytes'> {
  readonly owner: Owner;
  readonly log: Logger;
  /** Prunes the engines that environments hand out and that outlive them. */
  readonly driver?: DockerDriver;
  /** Default: false. */
  readonly dryRun?: boolean;
}

/** What became of one place that something is kept in. */
export type PrunedPlace = { readonly backend: string } & (
  | { readonly report: PruneReport; readonly problem?: undefined }
  | { readonly problem: string; readonly report?: undefined }
);

const pruneTimeoutMs = 15 * 60_000;

/**
 * Has every backend that keeps something between jobs, and the Docker driver at their engines, remove what was not used
 * lately. One that fails does not keep the others from it. Rejects only when `signal` aborts.
 */
export async function pruneBackends(
  backends: Pick<BackendRegistry, 'all'>,
  options: PruneOptions,
  signal: AbortSignal,
): Promise<readonly PrunedPlace[]> {
  const places: PrunedPlace[] = [];
  for (const backend of backends.all()) {
    for (const prune of await prunersOf(backend, options, signal)) {
      places.push(await pruned(backend.id, options, signal, prune));
    }
  }
  signal.throwIfAborted();
  return places;
}

type Prune = (request: PruneRequest, ctx: CallContext) => Promise<PruneReport>;

async function prunersOf(backend: Backend, options: PruneOptions, signal: AbortSignal): Promise<readonly Prune[]> {
  const { prune, dockerEndpoints } = backend;
  const own: readonly Prune[] = prune === undefined ? [] : [(request, ctx) => prune.call(backend, request, ctx)];
  const pruneThere = options.driver?.prune;
  if (pruneThere === undefined || dockerEndpoints === undefined) return own;
  using ctx = openCall({ signal, timeoutMs: pruneTimeoutMs, log: options.log });
  try {
    const endpoints = await dockerEndpoints.call(backend, ctx);
    return [
      ...own,
      ...endpoints.map(
        (endpoint): Prune =>
          (request, call) =>
            pruneThere(endpoint, request, call),
      ),
    ];
  } catch (error) {
    return [...own, () => Promise.reject(error instanceof Error ? error : new Error(String(error)))];
  }
}

async function pruned(
  backend: string,
  { owner, log, unusedMs, maxBytes, dryRun = false }: PruneOptions,
  signal: AbortSignal,
  prune: Prune,
): Promise<PrunedPlace> {
  using ctx = openCall({ signal, timeoutMs: pruneTimeoutMs, log });
  const request: PruneRequest = {
    owner,
    dryRun,
    ...(unusedMs === undefined ? {} : { unusedMs }),
    ...(maxBytes === undefined ? {} : { maxBytes }),
  };
  try {
    return { backend, report: await prune(request, ctx) };
  } catch (error) {
    const hint = isBackendError(error) && error.details.hint !== undefined ? `; ${error.details.hint}` : '';
    return { backend, problem: `${error instanceof Error ? error.message : String(error)}${hint}` };
  }
}
