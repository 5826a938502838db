import { isAbsolute, resolve } from 'node:path';
import { openRunnerCache } from '../cache/open-runner-cache.ts';
import { inUrl, outwardAddress } from '../cache/runner-address.ts';
import { loadConfig } from '../config/load.ts';
import { readSecretUrl } from '../config/secret-source.ts';
import { openProcessLog } from '../daemon/process-log.ts';
import { UserError } from '../user-error.ts';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-codes.ts';

/** Flags of `cache-server`, which beat the configuration. */
export interface CacheServerFlags {
  readonly config?: string;
  readonly dir?: string;
  readonly host?: string;
  readonly port?: string;
  readonly secret?: string;
}

/** `cache-server`: a cache on its own, for runners that have its secret. Runs until a signal. */
export async function runCacheServer(flags: CacheServerFlags, { io }: CommandContext): Promise<number> {
  const { log: levels, cache: written } = await loadConfig(
    flags.config === undefined ? undefined : resolve(io.cwd, flags.config),
    { cwd: io.cwd },
  );
  // It is the server; another one is for runners.
  const { externalServer: _other, secretUrl, ...config } = written;
  const readSecret = (url: string, subject: string): Promise<string> =>
    readSecretUrl(url, { env: io.env, cwd: io.cwd, subject });
  const fromFile = secretUrl === undefined ? config.secret : await readSecret(secretUrl, 'cache.secret_url');
  const secret = flags.secret ?? fromFile;
  if (secret === undefined) {
    throw new UserError('FRR101', {
      problems: [{ message: 'expected a secret that the runners share with this server, found none' }],
      next: 'add --secret, or cache.secret or cache.secret_url to the configuration',
    });
  }
  const log = openProcessLog({
    stream: io.stderr,
    level: levels.level,
    mask: (text) => text.replaceAll(secret, '***'),
  });
  const dir = flags.dir === undefined ? {} : { dir: isAbsolute(flags.dir) ? flags.dir : resolve(io.cwd, flags.dir) };
  const port = flags.port === undefined ? config.port : readPort(flags.port);
  await using cache = await openRunnerCache(
    { config: { ...config, ...dir, port, proxyPort: 0 }, env: io.env, log, readSecret },
    { secret },
  );
  // What cannot be opened should end the command, not its first request.
  await cache.forJobs.cache();
  const bind = flags.host ?? config.bind ?? '::';
  const listening = await cache.server.listeners.listen(bind).catch((error: unknown) => {
    throw new UserError('FRR801', {
      problems: [
        { message: `expected to listen at ${bind}, found ${error instanceof Error ? error.message : String(error)}` },
      ],
      next: 'choose another --host or --port',
      cause: error,
    });
  });
  const shown = flags.host ?? config.host ?? (await outwardAddress());
  io.stdout.write(`The cache server listens at ${cache.server.scheme}://${inUrl(shown)}:${listening.port}/\n`);
  if (!io.signal.aborted)
    await new Promise<void>((done) => io.signal.addEventListener('abort', () => done(), { once: true }));
  return exitCodes.success;
}

function readPort(written: string): number {
  const port = Number(written);
  if (/^\d+$/.test(written) && port <= 65_535) return port;
  throw new UserError('FRR101', {
    problems: [{ message: `expected a port from 0 to 65535, found ${JSON.stringify(written)}` }],
  });
}
