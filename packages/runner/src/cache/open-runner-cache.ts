import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Logger } from '@forgejo-runner/core';
import type { RunnerConfig, S3Section } from '../config/runner-config.ts';
import { UserError } from '../user-error.ts';
import { type CacheServer, type CacheServerOptions, openCacheServer } from './cache-server.ts';
import type { CacheStore } from './cache-store.ts';
import { type Cache, openCache } from './open-cache.ts';
import type { JobServicesOptions } from './open-job-services.ts';
import { openS3Store } from './s3-store.ts';

type CacheSection = RunnerConfig['cache'];

/** What a cache needs from the process around it. */
export interface CacheSurroundings {
  readonly config: CacheSection;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Logger;
  /** Reads the file that a `file:` URL of the configuration names. */
  readonly readSecret: (url: string, key: string) => Promise<string>;
}

/** The cache of a runner, and the server that its jobs reach it at. */
export interface RunnerCache extends AsyncDisposable {
  readonly server: CacheServer;
  /** For {@link openJobServices}. */
  readonly forJobs: JobServicesOptions;
}

/**
 * Opens the cache server of a process as its configuration says. It listens where jobs are, once there are any, and
 * touches disk and bucket with the first request that needs them.
 *
 * @throws {UserError} `FRR801` where certificate or secret cannot be read.
 */
export async function openRunnerCache(
  surroundings: CacheSurroundings,
  more: Pick<CacheServerOptions, 'mount' | 'secret'> = {},
): Promise<RunnerCache> {
  const { config, log } = surroundings;
  let opened: Promise<Cache> | undefined;
  const cache = (): Promise<Cache> => {
    opened ??= openConfigured(surroundings).catch((error: unknown) => {
      // The next request tries again: a disk may be back, or a bucket.
      opened = undefined;
      throw error;
    });
    return opened;
  };
  const tls = await readTls(config);
  const remote = await remoteOf(surroundings);
  const server = openCacheServer({
    cache,
    log,
    port: config.proxyPort || config.port,
    ...(tls === undefined ? {} : { tls }),
    ...(remote === undefined ? {} : { remote }),
    ...more,
  });
  const { host, bind, actionsCacheUrlOverride: publicUrl } = config;
  return {
    server,
    forJobs: {
      server,
      cache,
      log,
      ...(host === undefined ? {} : { host }),
      ...(bind === undefined ? {} : { bind }),
      ...(publicUrl === undefined ? {} : { publicUrl }),
    },
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await opened?.then(
        (one) => one[Symbol.asyncDispose](),
        () => undefined,
      );
    },
  };
}

/** Opens the cache that a configuration describes, without a server. */
export async function openConfigured(surroundings: CacheSurroundings): Promise<Cache> {
  const { config, env, log } = surroundings;
  const store = await storeOf(surroundings);
  const folder = config.dir ?? join(env['XDG_CACHE_HOME'] || join(env['HOME'] ?? homedir(), '.cache'), 'actcache');
  return openCache({ folder, limits: config.limits, log, ...(store === undefined ? {} : { store }) });
}

async function storeOf({ config, log, readSecret }: CacheSurroundings): Promise<CacheStore | undefined> {
  const { s3 } = config;
  if (s3 === undefined) return undefined;
  const { accessKey, secretKey, secretKeyUrl, bucket, prefix, region, endpoint } = s3;
  const secret = secretKeyUrl === undefined ? secretKey : await readSecret(secretKeyUrl, 'cache.s3.secret_key_url');
  checkKeys(s3, secret);
  return openS3Store(
    {
      bucket,
      prefix,
      region,
      ...(endpoint === undefined ? {} : { endpoint }),
      ...(accessKey === undefined || secret === undefined
        ? {}
        : { credentials: { accessKeyId: accessKey, secretAccessKey: secret } }),
    },
    log,
  );
}

function checkKeys({ accessKey }: S3Section, secret: string | undefined): void {
  if ((accessKey === undefined) === (secret === undefined)) return;
  throw new UserError('FRR801', {
    problems: [{ message: 'expected cache.s3 with both access_key and its secret, or neither, found one of them' }],
    next: 'add the other one, or leave the credentials to the environment',
  });
}

async function remoteOf({ config, readSecret }: CacheSurroundings): Promise<CacheServerOptions['remote']> {
  const { externalServer: url, secret, secretUrl } = config;
  if (url === undefined) return undefined;
  const shared = secretUrl === undefined ? secret : await readSecret(secretUrl, 'cache.secret_url');
  if (shared !== undefined) return { url: url.replace(/\/+$/, ''), secret: shared };
  throw new UserError('FRR801', {
    problems: [{ message: 'expected cache.secret for the server of cache.external_server, found none' }],
    next: 'write the secret that the server was started with into cache.secret, or its file into cache.secret_url',
  });
}

async function readTls({ tlsCert, tlsKey }: CacheSection): Promise<CacheServerOptions['tls']> {
  if (tlsCert === undefined && tlsKey === undefined) return undefined;
  try {
    if (tlsCert === undefined || tlsKey === undefined)
      throw new Error(`no ${tlsCert === undefined ? 'tls_cert' : 'tls_key'}`);
    return { cert: await readFile(tlsCert, 'utf8'), key: await readFile(tlsKey, 'utf8') };
  } catch (error) {
    throw new UserError('FRR801', {
      problems: [
        {
          message: `expected files for cache.tls_cert and cache.tls_key, found ${error instanceof Error ? error.message : String(error)}`,
        },
      ],
      next: 'name both files, as PEM, which the runner may read',
      cause: error,
    });
  }
}
