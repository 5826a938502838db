import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import type { Logger } from '@forgejo-runner/core';
import type { CacheAccess } from './cache-access.ts';
import { CacheRefusal } from './cache-refusal.ts';
import type { CacheLimits, CacheStore, EntryContent, Evicted, FoundEntry } from './cache-store.ts';
import { localStore } from './local-store.ts';
import { openDatabase } from './open-database.ts';
import { type Upload, Uploads } from './uploads.ts';

/** A cache, for whom a job's access says. Whatever a job asks for, it reaches its own repository and scopes only. */
export interface Cache extends AsyncDisposable {
  readonly find: (access: CacheAccess, version: string, keys: readonly string[]) => Promise<FoundEntry | undefined>;
  readonly open: (access: CacheAccess, id: string) => Promise<EntryContent>;
  /** @throws {CacheRefusal} where the job may not write, or the key is taken. */
  readonly reserve: (access: CacheAccess, version: string, key: string, sizeBytes?: number) => Promise<Upload>;
  /** An upload of this job. */
  readonly upload: (access: CacheAccess, id: number) => Upload;
  readonly uploadOf: (access: CacheAccess, version: string, key: string) => Upload;
  readonly uploads: Uploads;
  /** Makes an upload an entry. */
  readonly commit: (upload: Upload, sizeBytes: number) => Promise<void>;
  /** Removes what a job began and did not finish. */
  readonly endJob: (access: CacheAccess) => Promise<void>;
  readonly store: CacheStore;
  /** Removes now what is beyond the limits. */
  readonly evict: () => Promise<Evicted>;
}

/** Where a cache is, and how much it keeps. */
export interface CacheOptions {
  readonly folder: string;
  readonly limits: CacheLimits;
  readonly log: Logger;
  /** Where entries go instead of the folder; uploads go through the folder all the same. */
  readonly store?: CacheStore;
}

const evictEveryMs = 3_600_000;
const longestKey = 512;
/** In UTF-8: a bucket has 2 KiB for what it keeps beside an object. */
const longestKeyBytes = 1500;
const longestVersion = 256;

/** Opens a cache. What is beyond the limits is removed from time to time, and after each entry that comes in. */
export async function openCache(options: CacheOptions): Promise<Cache> {
  const { folder, limits, log } = options;
  const database = await openDatabase(folder);
  const store = options.store ?? localStore(database, folder);
  const uploads = new Uploads(database, join(folder, 'uploads'), limits.maxRepositoryBytes);
  const eviction = new Eviction(store, uploads, limits, log);
  return {
    uploads,
    store,
    find: async ({ repository, read }, version, keys) => {
      checkVersion(version);
      keys.forEach(checkKey);
      return store.find({ repository, scopes: read, version, keys });
    },
    open: async ({ repository, read }, id) => {
      const content = await store.open(id, { repository, scopes: read });
      if (content === undefined) throw new CacheRefusal('missing', 'there is no such cache');
      return content;
    },
    reserve: async ({ repository, write, job }, version, key, sizeBytes) => {
      checkVersion(version);
      checkKey(key);
      // Clients of GitHub know these first words.
      if (write === undefined) throw new CacheRefusal('denied', 'cache write denied: this job may only read');
      if ((sizeBytes ?? 0) > limits.maxRepositoryBytes) {
        throw new CacheRefusal(
          'too-large',
          `the cache of a repository may have ${limits.maxRepositoryBytes} bytes here, and this one has ${sizeBytes}`,
        );
      }
      const place = { repository, scope: write, version, key };
      if (await store.has(place)) throw new CacheRefusal('exists', 'there is a cache with this key already');
      return uploads.begin({ ...place, job });
    },
    upload: ({ job }, id) => uploads.find(id, job),
    uploadOf: ({ repository, write, job }, version, key) =>
      uploads.findByKey({ repository, scope: write ?? '', version, key, job }),
    commit: async (upload, sizeBytes) => {
      await store.add(await uploads.finish(upload, sizeBytes));
      uploads.forget(upload.id);
      eviction.soon();
    },
    endJob: async ({ job }) => uploads.discardOf(job),
    evict: () => eviction.now(),
    [Symbol.asyncDispose]: async () => {
      await eviction.stop();
      await store[Symbol.asyncDispose]();
      closeQuietly(database);
    },
  };
}

function checkKey(key: string): void {
  const isLong = key.length > longestKey || Buffer.byteLength(key) > longestKeyBytes;
  if (key === '' || isLong || key.includes(',') || key.includes('\0') || !key.isWellFormed())
    throw new CacheRefusal('invalid', `expected a key of 1 to ${longestKey} characters without a comma`);
}

function checkVersion(version: string): void {
  if (version === '' || version.length > longestVersion || !/^[\x20-\x7e]+$/.test(version))
    throw new CacheRefusal('invalid', `expected a version of 1 to ${longestVersion} printable characters`);
}

/** One eviction at a time, in the background. */
class Eviction {
  readonly #store: CacheStore;
  readonly #uploads: Uploads;
  readonly #limits: CacheLimits;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #running: Promise<Evicted> | undefined;
  #again = false;

  constructor(store: CacheStore, uploads: Uploads, limits: CacheLimits, log: Logger) {
    this.#store = store;
    this.#uploads = uploads;
    this.#limits = limits;
    this.#log = log;
    this.#timer = setInterval(() => this.soon(), evictEveryMs).unref();
  }

  /** After what runs now, and once for all who ask meanwhile. */
  soon(): void {
    if (this.#stop.signal.aborted) return;
    if (this.#running !== undefined) {
      this.#again = true;
      return;
    }
    void this.now().catch((error: unknown) =>
      this.#log.warn('the cache could not be tidied up', { error: String(error) }),
    );
  }

  async now(): Promise<Evicted> {
    if (this.#running !== undefined) return this.#running;
    this.#running = this.#run();
    try {
      return await this.#running;
    } finally {
      this.#running = undefined;
      if (this.#again) {
        this.#again = false;
        this.soon();
      }
    }
  }

  async #run(): Promise<Evicted> {
    await this.#uploads.sweep(Date.now());
    const evicted = await this.#store.evict(this.#limits, this.#stop.signal);
    if (evicted.entries > 0) this.#log.info('removed entries from the cache', { ...evicted });
    return evicted;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    clearInterval(this.#timer);
    await this.#running?.catch(() => undefined);
  }
}

function closeQuietly(database: DatabaseSync): void {
  if (database.isOpen) database.close();
}
