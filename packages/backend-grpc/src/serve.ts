import { randomUUID } from 'node:crypto';
import {
  apiVersion,
  type BackendFactory,
  type BackendServer,
  type CallContext,
  type Logger,
  type ServeRequest,
} from '@forgejo-runner/core';
import { addressText, parseAddress } from './address.ts';
import { BackendError } from '@forgejo-runner/core';
import { listen } from './server/listen.ts';
import { ServedEnvironments } from './server/served-environments.ts';
import { ServedLabels } from './server/served-labels.ts';
import { type Protocol, routesOf } from './server/routes.ts';

/** How a backend is served, and what tests make shorter. */
export interface ServeOptions extends ServeRequest {
  /** Default: `forgejo.runner.backend.v1`, and `plugin.v1alpha` for the Go runner from v13.1 on. */
  readonly protocols?: readonly Protocol[];
  /** Between two signs of life of an exec that is silent. Default: one minute, as the protocol asks. */
  readonly heartbeatMs?: number;
  /** How long an exec is kept whose connection was lost. Default: one minute. */
  readonly keepMs?: number;
}

const createTimeoutMs = 120_000;
const silent = (): void => {};
const noLog: Logger = { debug: silent, info: silent, warn: silent, error: silent };

/**
 * Serves a backend to runners in other processes and on other machines, by our own protocol and by
 * that of the Go runner.
 *
 * ```ts
 * await using server = await serveBackend(factory, { address: 'unix:///run/host.sock', stateDir: '/var/lib/host' });
 * ```
 *
 * @throws BackendError `config` for what cannot be served like that, and what the factory rejects with.
 */
export async function serveBackend(factory: BackendFactory, options: ServeOptions): Promise<BackendServer> {
  const address = parseAddress(options.address);
  const { log = noLog, stateDir, addMask = silent } = options;
  const owner = options.owner ?? { runner: randomUUID(), boot: randomUUID() };
  const config = await readConfig(factory, options.config ?? {});
  await using stack = new AsyncDisposableStack();
  const ctx: CallContext = {
    signal: AbortSignal.timeout(createTimeoutMs),
    deadline: Date.now() + createTimeoutMs,
    log,
    progress: silent,
    emit: silent,
  };
  const backend = stack.use(await factory.create({ config, owner, stateDir, apiVersion, addMask }, ctx));
  // What an earlier process made for runners that do not say who they are: nobody else would ever look for it.
  const { leaked } = await backend.sweep({ owner, keep: [], otherBoots: 'remove', dryRun: false }, ctx);
  for (const { resource, error } of leaked)
    log.warn('could not remove what an earlier process left', { resource, error });
  const environments = stack.use(new ServedEnvironments(log));
  const served = {
    backend,
    name: factory.id,
    version: apiVersion,
    environments,
    labels: new ServedLabels(backend),
    owner,
    log,
    heartbeatMs: options.heartbeatMs ?? 60_000,
    keepMs: options.keepMs ?? 60_000,
  };
  const { tls, insecureTcp = false, protocols = ['v1', 'v1alpha'] } = options;
  const routes = routesOf(served, protocols);
  const listening = await listen(routes, {
    address,
    insecureTcp,
    log,
    ...(tls === undefined ? {} : { tls }),
  });
  // Before the backend: nobody may call what is closed.
  stack.use(listening);
  const rest = stack.move();
  return {
    address: addressText(listening.address),
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

async function readConfig({ configSchema }: BackendFactory, config: unknown): Promise<unknown> {
  const read = await configSchema['~standard'].validate(config);
  if (read.issues === undefined) return read.value;
  const list = read.issues.map(({ message, path = [] }) => {
    const keys = path.map((part) => String(typeof part === 'object' ? part.key : part));
    return keys.length === 0 ? message : `${keys.join('.')}: ${message}`;
  });
  throw new BackendError('config', list.join('; '), { issues: read.issues });
}
