import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from '@forgejo-runner/core';
import type { ActionSource } from '../plan/job-actions.ts';
import { openActionSource } from '../steps/actions/action-source.ts';
import { type ActionStore, openActionStore } from '../steps/actions/action-store.ts';
import { anyGit } from '../steps/actions/any-git.ts';
import type { PruneLimits } from '../steps/actions/store-prune.ts';

/** Remote actions for a local run. Disposing it removes from their store what nobody used for long. */
export interface LocalActions extends AsyncDisposable {
  readonly source: ActionSource;
  readonly store: ActionStore;
}

const dayMs = 24 * 3_600_000;
/** Enough for hundreds of actions. */
export const actionLimits: PruneLimits = { maxAgeMs: 30 * dayMs, maxBytes: 4 * 1024 ** 3 };
/** A run does not wait longer for its end; the next one goes on. */
const pruneMs = 10_000;

/** Where remote actions are kept. */
export function actionsFolder(env: Readonly<Record<string, string | undefined>>): string {
  const caches = env['XDG_CACHE_HOME'] || join(env['HOME'] ?? homedir(), '.cache');
  return join(caches, 'forgejo-runner', 'actions');
}

/** Opens the store of actions in the user's cache folder. Local runs of one user share it. */
export function openLocalActions(options: {
  readonly defaultUrl: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
}): LocalActions {
  const { env, log } = options;
  const store = openActionStore({ folder: actionsFolder(env), git: anyGit(env), log });
  return {
    source: openActionSource(store, options),
    store,
    [Symbol.asyncDispose]: async () => {
      try {
        await store.prune(actionLimits, AbortSignal.timeout(pruneMs));
      } catch (error) {
        log.warn('the store of actions could not be pruned', { error: String(error) });
      }
    },
  };
}
