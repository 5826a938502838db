import { homedir } from 'node:os';
import { join } from 'node:path';
import type { DockerDriver, FactoryRegistry, Logger, Owner } from '@forgejo-runner/core';
import type { RunnerConfig } from '../config/runner-config.ts';
import { readRunnerIdentity } from '../config/runner-identity.ts';
import { type OpenedBackends, openBackends } from '../daemon/backends.ts';
import { pruneDaily } from '../daemon/prune-daily.ts';
import { sweepOrphans } from '../daemon/sweep-orphans.ts';
import type { ExecLabels } from './exec-labels.ts';

/** What local runs open their backends with. */
export interface LocalBackendOptions {
  readonly labels: ExecLabels;
  readonly config: RunnerConfig;
  readonly factories: FactoryRegistry;
  readonly driver?: DockerDriver;
  readonly log: Logger;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly addMask: (secret: string) => void;
}

/** Backends for a local run, and who the run is to them. */
export interface LocalBackends extends AsyncDisposable {
  readonly opened: OpenedBackends;
  readonly owner: Owner;
}

/**
 * Opens the backends of a local run, and removes what local runs that were killed left behind. Local runs have an
 * identity of their own: they never touch what a daemon of the same machine owns, nor another local run that is alive.
 */
export async function openLocalBackends(options: LocalBackendOptions, signal: AbortSignal): Promise<LocalBackends> {
  const stateDir = localStateDir(options.env);
  const owner = await readRunnerIdentity(stateDir);
  const opened = await openBackends({ ...options, labels: options.labels.labels, owner, stateDir }, signal);
  try {
    const { log, driver } = options;
    const sweep = { owner, otherBoots: 'only-expired', log, ...(driver === undefined ? {} : { driver }) } as const;
    await sweepOrphans(opened, sweep, signal);
    await pruneDaily(opened, { ...sweep, stateDir }, signal);
    return { opened, owner, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
  } catch (error) {
    await opened[Symbol.asyncDispose]();
    throw error;
  }
}

/** Where local runs keep who they are and what their backends remember. */
export function localStateDir(env: Readonly<Record<string, string | undefined>>): string {
  const base = env['XDG_STATE_HOME'] || join(env['HOME'] ?? homedir(), '.local', 'state');
  return join(base, 'forgejo-runner', 'exec');
}
