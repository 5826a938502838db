import type { BackendRegistry, Logger, Owner, SweepRequest } from '@forgejo-runner/core';
import { openCall } from '../environment/call-context.ts';

/** What a sweep may remove. */
export interface SweepOptions {
  readonly owner: Owner;
  readonly otherBoots: SweepRequest['otherBoots'];
  readonly log: Logger;
  /** Names of environments that are alive in this process. */
  readonly keep?: readonly string[];
}

const sweepTimeoutMs = 5 * 60_000;

/**
 * Has every backend remove what earlier processes of this runner left. What could not be removed is logged and tried
 * again at the next start: it must not keep the runner from working. Rejects only when `signal` aborts.
 */
export async function sweepOrphans(
  backends: Pick<BackendRegistry, 'all'>,
  { owner, otherBoots, log, keep = [] }: SweepOptions,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    backends.all().map(async (backend) => {
      using ctx = openCall({ signal, timeoutMs: sweepTimeoutMs, log });
      try {
        const { removed, leaked } = await backend.sweep({ owner, otherBoots, keep, dryRun: false }, ctx);
        if (removed.length > 0) log.info('removed what an earlier run left', { backend: backend.id, removed });
        for (const { resource, error } of leaked) {
          log.warn('could not remove what an earlier run left', { backend: backend.id, resource, error });
        }
      } catch (error) {
        if (!signal.aborted) log.warn('could not look for what an earlier run left', { backend: backend.id, error });
      }
    }),
  );
  signal.throwIfAborted();
}
