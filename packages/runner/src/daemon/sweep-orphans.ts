import type {
  Backend,
  BackendRegistry,
  CallContext,
  DockerDriver,
  Logger,
  Owner,
  SweepReport,
  SweepRequest,
} from '@forgejo-runner/core';
import { openCall } from '../environment/call-context.ts';

/** What a sweep may remove. */
export interface SweepOptions {
  readonly owner: Owner;
  readonly otherBoots: SweepRequest['otherBoots'];
  readonly log: Logger;
  /** Sweeps the engines that environments hand out and that outlive them. */
  readonly driver?: DockerDriver;
  /** Names of environments that are alive in this process. */
  readonly keep?: readonly string[];
}

const sweepTimeoutMs = 5 * 60_000;

/**
 * Has every backend, and the Docker driver at their engines, remove what earlier processes of this runner left. What
 * could not be removed is logged and tried again at the next start: it must not keep the runner from working. Rejects
 * only when `signal` aborts.
 */
export async function sweepOrphans(
  backends: Pick<BackendRegistry, 'all'>,
  options: SweepOptions,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    backends.all().map(async (backend) => {
      // Containers first: they hold folders that the backend removes.
      const { driver } = options;
      if (driver !== undefined && backend.dockerEndpoints !== undefined)
        await sweepEndpoints(backend, driver, options, signal);
      await logged(backend.id, options, signal, (request, ctx) => backend.sweep(request, ctx));
    }),
  );
  signal.throwIfAborted();
}

async function sweepEndpoints(
  backend: Backend,
  driver: DockerDriver,
  options: SweepOptions,
  signal: AbortSignal,
): Promise<void> {
  using ctx = openCall({ signal, timeoutMs: sweepTimeoutMs, log: options.log });
  const endpoints = await backend.dockerEndpoints?.(ctx).catch((error: unknown) => {
    options.log.warn('could not look for engines', { backend: backend.id, error });
  });
  // One that is down must not keep the others from being swept.
  for (const endpoint of endpoints ?? []) {
    await logged(backend.id, options, signal, (request, call) => driver.sweep(endpoint, request, call));
  }
}

async function logged(
  backend: string,
  { owner, otherBoots, log, keep = [] }: SweepOptions,
  signal: AbortSignal,
  sweep: (request: SweepRequest, ctx: CallContext) => Promise<SweepReport>,
): Promise<void> {
  using ctx = openCall({ signal, timeoutMs: sweepTimeoutMs, log });
  try {
    const { removed, leaked } = await sweep({ owner, otherBoots, keep, dryRun: false }, ctx);
    if (removed.length > 0) log.info('removed what an earlier run left', { backend, removed });
    for (const { resource, error } of leaked) {
      log.warn('could not remove what an earlier run left', { backend, resource, error });
    }
  } catch (error) {
    if (!signal.aborted) log.warn('could not look for what an earlier run left', { backend, error });
  }
}
