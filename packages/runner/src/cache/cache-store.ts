import type { ByteRange } from './byte-range.ts';
import type { CacheScope } from './cache-scope.ts';
import type { FinishedUpload } from './uploads.ts';

/** What a job looks for. */
export interface CacheQuery {
  readonly repository: string;
  readonly scopes: CacheScope['read'];
  readonly version: string;
  /** The first one that is found counts: each as it is, then as the beginning of others, the newest of them. */
  readonly keys: readonly string[];
}

/** An entry that fits. */
export interface FoundEntry {
  /** For {@link CacheStore.open}. */
  readonly id: string;
  readonly key: string;
  readonly size: number;
  readonly createdMs: number;
}

/** An entry as its administrator sees it. */
export interface CacheEntry extends FoundEntry {
  readonly repository: string;
  readonly scope: string;
  readonly version: string;
  /** Where it is known. */
  readonly usedMs?: number;
}

/** The content of an entry. What reads it goes on when the entry is removed. */
export interface EntryContent extends AsyncDisposable {
  readonly size: number;
  readonly createdMs: number;
  /** A chunk is good until the next but one is asked for. */
  readonly read: (range: ByteRange) => Promise<AsyncIterable<Uint8Array>>;
}

/** What was evicted. */
export interface Evicted {
  readonly entries: number;
  readonly bytes: number;
}

/** How much is kept, and how long. */
export interface CacheLimits {
  readonly maxBytes: number;
  readonly maxRepositoryBytes: number;
  readonly maxUnusedMs: number;
  readonly maxAgeMs: number;
}

/**
 * Where entries are kept. Nothing here knows who asks: what is asked for is checked before, but an entry is found only
 * with its repository and scope.
 */
export interface CacheStore extends AsyncDisposable {
  readonly find: (query: CacheQuery) => Promise<FoundEntry | undefined>;
  /** Whether exactly this key is taken. */
  readonly has: (
    place: Omit<CacheQuery, 'keys' | 'scopes'> & { readonly scope: string; readonly key: string },
  ) => Promise<boolean>;
  /** Makes an upload an entry; its file is gone from its place afterwards. */
  readonly add: (finished: FinishedUpload) => Promise<void>;
  /** `undefined` where there is no such entry in these scopes of this repository. */
  readonly open: (id: string, of: Pick<CacheQuery, 'repository' | 'scopes'>) => Promise<EntryContent | undefined>;
  /** All entries, those that were used last first. */
  readonly list: () => AsyncIterable<CacheEntry>;
  readonly remove: (id: string) => Promise<void>;
  /** Removes what is beyond the limits, a little at a time. */
  readonly evict: (limits: CacheLimits, signal: AbortSignal) => Promise<Evicted>;
}
