import type { BackendRegistry } from '@forgejo-runner/core';
import { pause } from '../poll/pause.ts';
import { pruneDaily } from './prune-daily.ts';
import type { PruneOptions } from './prune-backends.ts';

/** So often it is asked whether a day is over. */
const lookEveryMs = 3_600_000;

/**
 * Prunes backends at the start of a runner and once a day from then on, beside its jobs. Disposing breaks off what is on
 * its way and waits for its end.
 */
export function keepPruned(
  backends: () => Pick<BackendRegistry, 'all'>,
  options: PruneOptions & { readonly stateDir: string },
): AsyncDisposable {
  const stop = new AbortController();
  const pruning = prune();
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await pruning;
    },
  };

  async function prune(): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        await pruneDaily(backends(), options, stop.signal);
      } catch (error) {
        if (!stop.signal.aborted)
          options.log.warn('could not remove what nobody used lately', { error: String(error) });
      }
      await pause(lookEveryMs, stop.signal);
    }
  }
}
