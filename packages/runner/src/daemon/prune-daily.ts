import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BackendRegistry } from '@forgejo-runner/core';
import { pruneBackends, type PruneOptions } from './prune-backends.ts';

const dayMs = 24 * 3_600_000;

/**
 * Prunes backends once a day, however often it is called: by processes that start for each run as by one that lives for
 * months. What happened is logged; nothing of it keeps a runner from working. Rejects only when `signal` aborts.
 */
export async function pruneDaily(
  backends: Pick<BackendRegistry, 'all'>,
  options: PruneOptions & { readonly stateDir: string },
  signal: AbortSignal,
): Promise<void> {
  const { log, stateDir } = options;
  const marker = join(stateDir, 'pruned');
  const last = await stat(marker).catch(() => undefined);
  if (last !== undefined && Math.abs(Date.now() - last.mtimeMs) < dayMs) return;
  // Before it starts: two processes that start at once need not both do it.
  await writeFile(marker, '', { mode: 0o600 }).catch((error: unknown) => {
    log.debug('could not remember that backends are pruned', { error });
  });
  for (const { backend, report, problem } of await pruneBackends(backends, options, signal)) {
    if (problem !== undefined) log.warn('could not remove what nobody used lately', { backend, error: problem });
    if (report === undefined) continue;
    const { removed, leaked, freedBytes } = report;
    if (removed.length > 0) log.info('removed what nobody used lately', { backend, removed, freedBytes });
    for (const { resource, error } of leaked)
      log.warn('could not remove what nobody used lately', { backend, resource, error });
  }
}
