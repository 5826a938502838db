import { randomUUID } from 'node:crypto';
import { join, resolve } from 'node:path';
import type { Logger } from '@forgejo-runner/core';
import { loadConfig } from '../config/load.ts';
import type { RunnerConfig } from '../config/runner-config.ts';
import { readRunnerIdentity } from '../config/runner-identity.ts';
import { LogMasks } from '../daemon/log-masks.ts';
import { idleKeys } from '../daemon/idle-keys.ts';
import { InstanceStates } from '../daemon/instance-states.ts';
import { type Metrics, openMetrics } from '../daemon/metrics.ts';
import { lockRunner, openRunner, type OpenedRunner } from '../daemon/open-runner.ts';
import { openProcessLog } from '../daemon/process-log.ts';
import { type ConnectionFlags, resolveConnections, type ResolvedConnections } from '../daemon/resolve-connections.ts';
import { stateFolder } from '../daemon/state-folder.ts';
import { quoted, UserError } from '../user-error.ts';
import type { CommandContext } from './command-context.ts';

/** A runner that was opened for a command, and what the command line and the configuration say about it. */
export interface ConnectedRunner extends AsyncDisposable {
  readonly config: RunnerConfig;
  readonly found: ResolvedConnections;
  /** Reads both again. @throws {UserError} where they are wrong now. */
  readonly read: () => Promise<{ readonly config: RunnerConfig; readonly found: ResolvedConnections }>;
  readonly log: Logger;
  readonly setLevel: (level: RunnerConfig['log']['level']) => void;
  readonly boot: string;
  readonly runner: OpenedRunner;
  readonly metrics: Metrics;
  readonly instances: InstanceStates;
  readonly masks: LogMasks;
}

/** What a command says about its runner. */
export interface ConnectedOptions {
  readonly config?: string;
  readonly flags: ConnectionFlags;
  /** One process after the other, or many at once. */
  readonly kind: 'daemon' | 'one-job';
}

/** Reads the configuration, finds out who we are where, and opens the runner. @throws {UserError} with all that is wrong. */
export async function openConnected(
  { config: path, flags, kind }: ConnectedOptions,
  context: CommandContext,
): Promise<ConnectedRunner> {
  const { io, factories, dockerDriver } = context;
  const masks = new LogMasks();
  const read: ConnectedRunner['read'] = async () => {
    const config = await loadConfig(path === undefined ? undefined : resolve(io.cwd, path), {
      cwd: io.cwd,
      env: io.env,
    });
    const found = await resolveConnections({ config, flags, env: io.env, cwd: io.cwd });
    for (const { token } of found.connections) masks.add(token);
    return { config, found };
  };
  const { config, found } = await read();
  let { level } = config.log;
  const log = openProcessLog({ stream: io.stderr, level: () => level, mask: (text) => masks.mask(text) });
  for (const warning of idleKeys(config)) log.warn(warning);
  await using opened = new AsyncDisposableStack();
  const { stateDir, owner } = await identity(kind, found, context);
  if (kind === 'daemon') opened.use(await lockRunner(stateDir));
  const metrics = openMetrics();
  const instances = new InstanceStates(found.connections.map(({ name, address }) => ({ name, url: address.shown })));
  const runner = opened.use(
    await openRunner({
      config,
      ...found,
      factories,
      ...(dockerDriver === undefined ? {} : { driver: dockerDriver }),
      io,
      log,
      masks,
      owner,
      stateDir,
      isShared: kind === 'one-job',
      onAsked: (connection, asked) => {
        metrics.asked(connection, asked);
        instances.see(connection, asked);
      },
      onEnded: metrics.ended,
      onOperation: metrics.operated,
    }),
  );
  const closing = opened.move();
  const setLevel = (next: typeof level): void => {
    level = next;
  };
  const boot = owner.boot;
  const known = { config, found, read, log, setLevel, boot, masks, metrics, instances };
  return { ...known, runner, [Symbol.asyncDispose]: () => closing.disposeAsync() };
}

/**
 * A daemon is who its instances say it is: what it left behind is found again after a restart, and two daemons of one user never
 * take each other's for their own. Runners for one job come and go, and share an identity.
 */
async function identity(kind: ConnectedOptions['kind'], { connections }: ResolvedConnections, { io }: CommandContext) {
  const state = stateFolder(io.env);
  if (kind === 'one-job') {
    if (connections.length !== 1) throw severalConnections(connections.map(({ name }) => name));
    const stateDir = join(state, 'one-job');
    return { stateDir, owner: await readRunnerIdentity(stateDir) };
  }
  const [first = ''] = connections.map(({ uuid }) => uuid).toSorted();
  return { stateDir: join(state, 'runners', first), owner: { runner: first, boot: randomUUID() } };
}

function severalConnections(names: readonly string[]): UserError {
  const message = `expected one connection, found ${names.length}: ${names.map((name) => quoted(name)).join(', ')}`;
  return new UserError('FRR101', { problems: [{ message }], next: 'name one by --url, --uuid and --token-url' });
}
