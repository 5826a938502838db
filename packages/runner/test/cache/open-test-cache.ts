import { randomBytes } from 'node:crypto';
import type { Logger } from '@forgejo-runner/core';
import { callContext, openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import type { ArtifactService, CacheAccess, JobKey } from '../../src/cache/cache-access.ts';
import { type CacheServer, type CacheServerOptions, openCacheServer } from '../../src/cache/cache-server.ts';
import type { CacheLimits, CacheStore } from '../../src/cache/cache-store.ts';
import { type Cache, openCache } from '../../src/cache/open-cache.ts';

const dayMs = 24 * 3_600_000;

/** More than a test needs. */
export const wideLimits: CacheLimits = {
  maxBytes: 2 ** 40,
  maxRepositoryBytes: 2 ** 40,
  maxUnusedMs: dayMs,
  maxAgeMs: dayMs,
};

/** Room for seven entries of 400,000 bytes. */
export const narrowLimits: CacheLimits = {
  ...wideLimits,
  maxBytes: 3_000_000,
  maxRepositoryBytes: 3_000_000,
};

/** A job of a test, with the addresses that it would get. */
export interface TestJob {
  readonly access: CacheAccess;
  readonly key: JobKey;
  readonly bearer: string;
  /** `ACTIONS_CACHE_URL`. */
  readonly url: string;
  /** Calls the first API. */
  readonly v1: (path: string, init?: RequestInit) => Promise<Response>;
  /** Calls a method of the second API. */
  readonly v2: (method: string, message: object) => Promise<Response>;
}

/** What else a job of a test has. */
interface JobOptions {
  readonly artifacts?: ArtifactService;
  readonly mayWrite?: boolean;
}

/** A cache server on the loopback, for one test. */
export interface TestCache extends AsyncDisposable {
  readonly server: CacheServer;
  readonly cache: Cache;
  readonly folder: TempFolder;
  readonly origin: string;
  readonly logged: ReturnType<typeof callContext>['logged'];
  readonly job: (access?: Partial<CacheAccess>, options?: JobOptions) => TestJob;
}

/** Opens a cache server in a folder of its own. */
export async function openTestCache(
  options: {
    readonly limits?: Partial<CacheLimits>;
    readonly store?: (log: Logger) => Promise<CacheStore>;
    readonly server?: Partial<CacheServerOptions>;
  } = {},
): Promise<TestCache> {
  const folder = await openTempFolder();
  const { log, logged } = callContext();
  const cache = await openCache({
    folder: folder.path,
    limits: { ...wideLimits, ...options.limits },
    log,
    ...(options.store === undefined ? {} : { store: await options.store(log) }),
  });
  const server = openCacheServer({ cache: async () => cache, log, port: 0, ...options.server });
  const { port } = await server.listeners.listen('127.0.0.1');
  const origin = `${server.scheme}://127.0.0.1:${port}`;
  return {
    server,
    cache,
    folder,
    origin,
    logged,
    job: (access, more) => testJob(server, origin, access, more),
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await cache[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

function testJob(
  server: CacheServer,
  origin: string,
  given: Partial<CacheAccess> = {},
  { artifacts, mayWrite = true }: JobOptions = {},
): TestJob {
  const job = randomBytes(6).toString('hex');
  const access = {
    job,
    repository: 'forgejo.example/me/mine',
    read: [''],
    // As a runner does it: one claim for all that a job asks of a server elsewhere.
    sinceS: Math.floor(Date.now() / 1000),
    ...(mayWrite ? { write: '' } : {}),
    ...given,
  };
  const bearer = `runtime-${job}`;
  const key = server.keys.add({ access, ...(artifacts === undefined ? {} : { artifacts }) }, bearer);
  const url = `${origin}/${key.token}/`;
  return {
    access,
    key,
    bearer,
    url,
    v1: (path, init) => fetch(`${url}_apis/artifactcache/${path}`, init),
    v2: (method, message) =>
      fetch(`${origin}/twirp/github.actions.results.api.v1.CacheService/${method}`, {
        method: 'POST',
        body: JSON.stringify(message),
        headers: { 'content-type': 'application/json', authorization: `Bearer ${bearer}` },
      }),
  };
}

/** Saves a content with the first API, in one chunk. Gives the last answer. */
export async function saveV1(
  job: TestJob,
  key: string,
  content: string | Uint8Array,
  version = 'v',
): Promise<Response> {
  const reserved = await job.v1('caches', { method: 'POST', body: JSON.stringify({ key, version }) });
  if (!reserved.ok) return reserved;
  // What the server answers.
  const { cacheId } = (await reserved.json()) as { cacheId: number };
  const bytes = Buffer.from(content);
  if (bytes.length > 0) {
    const sent = await job.v1(`caches/${cacheId}`, {
      method: 'PATCH',
      body: bytes,
      headers: { 'content-range': `bytes 0-${bytes.length - 1}/*` },
    });
    if (!sent.ok) return sent;
  }
  return job.v1(`caches/${cacheId}`, { method: 'POST', body: JSON.stringify({ size: bytes.length }) });
}

/** What is found with the first API. */
export interface FoundV1 {
  readonly cacheKey: string;
  readonly archiveLocation: string;
}

/** Looks keys up with the first API. */
export async function findV1(job: TestJob, keys: readonly string[], version = 'v'): Promise<FoundV1 | undefined> {
  const answer = await job.v1(`cache?keys=${encodeURIComponent(keys.join(','))}&version=${version}`);
  if (answer.status === 204) return undefined;
  if (!answer.ok) throw new Error(`expected an entry or none, found ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as FoundV1;
}

/** The content that is found, as text. */
export async function restoreV1(job: TestJob, keys: readonly string[], version = 'v'): Promise<string | undefined> {
  const found = await findV1(job, keys, version);
  return found === undefined ? undefined : (await fetch(found.archiveLocation)).text();
}
