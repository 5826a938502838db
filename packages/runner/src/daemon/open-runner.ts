import { join } from 'node:path';
import type { DockerDriver, FactoryRegistry, LabelConfiguration, Logger, Owner } from '@forgejo-runner/core';
import { openRunnerCache } from '../cache/open-runner-cache.ts';
import type { RunnerConfig } from '../config/runner-config.ts';
import { makePrivateFolder } from '../config/runner-identity.ts';
import { readSecretUrl } from '../config/secret-source.ts';
import { type InstanceConnection, openConnection } from '../forgejo/connection.ts';
import { type AskedQuestion, clientTimeoutMs } from '../forgejo/instance-client.ts';
import type { Io } from '../io.ts';
import { openLocalActions } from '../local/open-local-actions.ts';
import { LabelCapacity } from '../poll/label-capacity.ts';
import { RequestKey } from '../poll/request-key.ts';
import { jobsFolder } from '../report/job-folders.ts';
import { giveLifeSign } from '../report/living-processes.ts';
import { defaultSpoolLimitBytes, type ReportSettings } from '../report/report-settings.ts';
import { quoted, UserError } from '../user-error.ts';
import { type OpenedBackends, openBackends } from './backends.ts';
import { BackendsInUse } from './backends-in-use.ts';
import { readContainerPolicy } from './container-policy.ts';
import type { BackendOperation } from './backend-operation.ts';
import type { LogMasks } from './log-masks.ts';
import { observedDriver } from './observed-driver.ts';
import type { ResolvedConnection } from './resolve-connections.ts';
import { type EndedJob, defaultActionsUrl, RunningJobs } from './running-jobs.ts';
import { stateFolder } from './state-folder.ts';
import { taskServices } from './task-services.ts';
import { keepPruned } from './keep-pruned.ts';
import { sweepOrphans } from './sweep-orphans.ts';

/** What a runner is opened with. */
export interface RunnerOptions {
  readonly config: RunnerConfig;
  readonly labels: readonly LabelConfiguration[];
  readonly connections: readonly ResolvedConnection[];
  readonly factories: FactoryRegistry;
  readonly driver?: DockerDriver;
  readonly io: Pick<Io, 'env' | 'hurry' | 'signal'>;
  readonly log: Logger;
  readonly masks: LogMasks;
  readonly owner: Owner;
  /** Of this runner alone: backends and request keys have files there. */
  readonly stateDir: string;
  /** Whether other processes have the same owner. */
  readonly isShared: boolean;
  readonly onAsked?: (connection: string, asked: AskedQuestion) => void;
  readonly onEnded?: (job: EndedJob) => void;
  readonly onOperation?: (operation: BackendOperation) => void;
}

/** A runner that can take jobs. Disposing closes everything in reverse order. */
export interface OpenedRunner extends AsyncDisposable {
  readonly backends: BackendsInUse;
  readonly connections: readonly OpenedConnection[];
  readonly jobs: RunningJobs;
  readonly labelCapacity: LabelCapacity;
  /** Backends for other labels or settings, to replace those that are open. @throws {UserError} as `openBackends` does. */
  readonly reopen: (config: RunnerConfig, labels: readonly LabelConfiguration[]) => Promise<OpenedBackends>;
}

/** A connection, and where it came from. */
export interface OpenedConnection {
  readonly resolved: ResolvedConnection;
  readonly connection: InstanceConnection;
}

/** Report settings of a configuration. */
export function reportSettings({ runner }: RunnerConfig): ReportSettings {
  return { intervalMs: runner.reportIntervalMs, retry: runner.reportRetry, spoolLimitBytes: defaultSpoolLimitBytes };
}

/**
 * Opens all that jobs need, in the order of the design: backends, labels, orphans of earlier starts, connections.
 *
 * @throws {UserError} with all that is wrong with backends and labels.
 */
export async function openRunner(options: RunnerOptions): Promise<OpenedRunner> {
  const { config, connections, io, log, masks, owner, stateDir } = options;
  if (options.labels.length === 0) throw withoutLabels();
  const { policy, warnings } = readContainerPolicy(config);
  for (const warning of warnings) log.warn(warning);
  await using opened = new AsyncDisposableStack();
  await makePrivateFolder(stateDir);
  // Of this start: what it runs and reports is nobody else's to recover.
  opened.use(await giveLifeSign(aliveFolder(io.env), owner.boot));
  const open = (next: RunnerConfig, labels: readonly LabelConfiguration[]): Promise<OpenedBackends> =>
    openBackends(
      {
        labels,
        config: next,
        factories: options.factories,
        owner,
        stateDir,
        log,
        addMask: (one) => masks.add(one),
        ...(options.onOperation === undefined ? {} : { onOperation: options.onOperation }),
      },
      io.signal,
    );
  const backends = opened.use(new BackendsInUse(await open(config, options.labels)));
  const driver = options.driver === undefined ? {} : { driver: observedDriver(options.driver, options.onOperation) };
  const otherBoots = options.isShared ? 'only-expired' : 'remove';
  await sweepOrphans(backends.current, { owner, otherBoots, log, ...driver }, io.signal);
  opened.use(keepPruned(() => backends.current, { owner, log, stateDir, ...driver }));
  const actions = opened.use(openLocalActions({ defaultUrl: defaultActionsUrl, env: io.env, log }));
  const cache = opened.use(
    await openRunnerCache({
      config: config.cache,
      env: io.env,
      log,
      readSecret: (url, subject) => readSecretUrl(url, { env: io.env, cwd: process.cwd(), subject }),
    }),
  );
  const labelCapacity = new LabelCapacity(config.runner.labelCapacity);
  const served = connections.map((resolved) => ({ resolved, connection: opened.use(openOne(resolved, options)) }));
  const jobs = opened.use(
    new RunningJobs({
      owner,
      ...driver,
      log,
      masks,
      folder: jobsFolder(io.env),
      actions: actions.store,
      settings: reportSettings(config),
      envs: config.runner.envs,
      maxTimeoutMs: config.runner.timeoutMs,
      policy,
      services: taskServices(cache, { config, env: io.env, connections }),
      useLabels: (connection) => backends.use(connection),
      occupyLabel: (label) => labelCapacity.occupy([label]),
      hurry: io.hurry,
      ...(options.onEnded === undefined ? {} : { onEnded: options.onEnded }),
    }),
  );
  const closing = opened.move();
  return {
    backends,
    connections: served,
    jobs,
    labelCapacity,
    reopen: open,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}

function openOne(resolved: ResolvedConnection, options: RunnerOptions): InstanceConnection {
  const { config, io, log, stateDir, isShared, onAsked } = options;
  const { name, uuid } = resolved;
  return openConnection({
    ...resolved,
    insecure: config.runner.insecure,
    env: io.env,
    timeoutMs: clientTimeoutMs(io.env),
    fetchTimeoutMs: config.runner.fetchTimeoutMs,
    requestKey: isShared ? new RequestKey() : new RequestKey(join(stateDir, `request-key-${uuid}`)),
    log,
    ...(onAsked === undefined ? {} : { onAsked: (asked: AskedQuestion) => onAsked(name, asked) }),
  });
}

/** Where starts of runners say that they are alive. */
export function aliveFolder(env: Io['env']): string {
  return join(stateFolder(env), 'alive');
}

/** Keeps a second process from running the same runner. @throws {UserError} `FRR204`. */
export async function lockRunner(stateDir: string): Promise<AsyncDisposable> {
  await makePrivateFolder(stateDir);
  try {
    return await giveLifeSign(stateDir, 'runner');
  } catch (error) {
    if (
      error instanceof Error &&
      'code' in error &&
      typeof error.code === 'string' &&
      error.code !== 'ERR_SQLITE_ERROR'
    )
      throw error;
    throw new UserError('FRR204', {
      problems: [
        { message: `expected to be the only process of this runner, found another one in ${quoted(stateDir)}` },
      ],
      next: 'stop the other one, or register another runner',
      cause: error,
    });
  }
}

function withoutLabels(): UserError {
  return new UserError('FRR202', {
    problems: [{ message: 'expected at least one label, found none: no job would ever come' }],
    next: 'set runner.labels, such as ["docker:docker://node:22-bookworm"]',
  });
}
