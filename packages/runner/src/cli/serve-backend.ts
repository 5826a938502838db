import { join, resolve } from 'node:path';
import { type BackendError, isBackendError } from '@forgejo-runner/core';
import { loadConfig } from '../config/load.ts';
import { makePrivateFolder, readRunnerIdentity } from '../config/runner-identity.ts';
import { planBackends, validateSection } from '../daemon/backend-plan.ts';
import { openProcessLog } from '../daemon/process-log.ts';
import { stateFolder } from '../daemon/state-folder.ts';
import { UserError } from '../user-error.ts';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-codes.ts';

/** Flags of `serve-backend`. */
export interface ServeBackendFlags {
  readonly config?: string;
  readonly address: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsCa?: string;
  readonly pinned?: readonly string[];
  readonly insecureTcp?: boolean;
}

/** `serve-backend`: a backend of this runner as a plugin of others. Runs until a signal, then removes what it made. */
export async function serveBackend(id: string, flags: ServeBackendFlags, context: CommandContext): Promise<number> {
  const { io, factories } = context;
  const file = flags.config === undefined ? undefined : resolve(io.cwd, flags.config);
  const config = await loadConfig(file, { cwd: io.cwd });
  const serve = factories.list().find(({ factory }) => factory.serve !== undefined)?.factory.serve;
  if (serve === undefined) {
    throw new UserError('FRR203', {
      problems: [{ message: 'this runner has no backend that serves others' }],
      next: 'build the runner with --with @forgejo-runner/backend-grpc',
    });
  }
  const { plans, problems } = planBackends({
    config,
    factories,
    labels: [{ name: id, backend: id, options: {}, form: 'mapping' }],
  });
  const [plan] = plans;
  const wrong = [...problems, ...(plan === undefined ? [] : (await validateSection(plan)).problems)];
  if (wrong.length > 0 || plan === undefined) {
    throw new UserError('FRR203', {
      problems: wrong,
      next: 'forgejo-runner list-backends shows the backends of this runner',
    });
  }
  // A folder and an identity for each address: two servers of one backend must not sweep each other.
  const stateDir = join(stateFolder(io.env), 'serve', id, encodeURIComponent(flags.address).slice(0, 200));
  await makePrivateFolder(stateDir);
  const log = openProcessLog({ stream: io.stderr, level: config.log.level, mask: (text) => text });
  const tls = tlsOf(flags, io.cwd);
  try {
    await using server = await serve(plan.registration.factory, {
      address: flags.address,
      config: plan.section,
      stateDir,
      owner: await readRunnerIdentity(stateDir),
      log,
      insecureTcp: flags.insecureTcp ?? false,
      ...(tls === undefined ? {} : { tls }),
    });
    io.stdout.write(`The backend ${id} is served at ${server.address}\n`);
    if (!io.signal.aborted) {
      await new Promise<void>((done) => io.signal.addEventListener('abort', () => done(), { once: true }));
    }
    return exitCodes.success;
  } catch (error) {
    if (!isBackendError(error)) throw error;
    throw usable(error);
  }
}

function tlsOf({ tlsCert, tlsKey, tlsCa, pinned }: ServeBackendFlags, cwd: string) {
  if (tlsCert === undefined && tlsKey === undefined && tlsCa === undefined && pinned === undefined) return undefined;
  return {
    ...(tlsCert === undefined ? {} : { cert: resolve(cwd, tlsCert) }),
    ...(tlsKey === undefined ? {} : { key: resolve(cwd, tlsKey) }),
    ...(tlsCa === undefined ? {} : { ca: resolve(cwd, tlsCa) }),
    ...(pinned === undefined ? {} : { pinned }),
  };
}

function usable(error: BackendError): UserError {
  const { hint } = error.details;
  return new UserError('FRR203', {
    problems: [{ message: error.message }],
    ...(hint === undefined ? {} : { next: hint }),
    cause: error,
  });
}
