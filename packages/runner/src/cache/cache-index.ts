import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { CacheEntry, CacheLimits, CacheQuery } from './cache-store.ts';
import type { Segments } from './segments.ts';

/** An entry with where its content lies. */
export interface IndexedEntry extends Omit<CacheEntry, 'id' | 'usedMs'> {
  readonly id: number;
  readonly bytes: number;
  readonly segments: Segments;
  readonly usedMs: number;
}

/** Keys of entries, and which of them have to go. Looks that are written down again and again wait this long. */
const touchMs = 60_000;

/** The keys of a cache that is kept on this machine. */
export class CacheIndex {
  readonly #database: DatabaseSync;
  readonly #exact: StatementSync;
  readonly #prefix: StatementSync;
  readonly #touch: StatementSync;

  constructor(database: DatabaseSync) {
    this.#database = database;
    const from = 'SELECT * FROM entries WHERE repository = ? AND scope = ? AND version = ?';
    this.#exact = database.prepare(`${from} AND folded = ? ORDER BY created_ms DESC, id DESC LIMIT 1`);
    this.#prefix = database.prepare(`${from} AND folded >= ? AND folded < ? ORDER BY created_ms DESC, id DESC LIMIT 1`);
    this.#touch = database.prepare('UPDATE entries SET used_ms = ? WHERE id = ?');
  }

  /** The first that fits, see {@link CacheQuery}. Case does not count, as in the Go runner. */
  find({ repository, scopes, version, keys }: CacheQuery, nowMs: number): IndexedEntry | undefined {
    for (const scope of scopes) {
      for (const key of keys.map(foldKey)) {
        const row =
          this.#exact.get(repository, scope, version, key) ??
          this.#prefix.get(repository, scope, version, key, afterPrefix(key));
        if (row === undefined) continue;
        const entry = readEntry(row);
        if (entry.usedMs < nowMs - touchMs) this.#touch.run(nowMs, entry.id);
        return entry;
      }
    }
    return undefined;
  }

  has(repository: string, scope: string, version: string, key: string): boolean {
    return this.#exact.get(repository, scope, version, foldKey(key)) !== undefined;
  }

  /** By its id, where it is in one of the scopes of the repository. */
  get(id: number, repository: string, scopes: readonly string[]): IndexedEntry | undefined {
    const row = this.#database.prepare('SELECT * FROM entries WHERE id = ? AND repository = ?').get(id, repository);
    const entry = row === undefined ? undefined : readEntry(row);
    return entry !== undefined && scopes.includes(entry.scope) ? entry : undefined;
  }

  add(entry: IndexedEntry): void {
    const { id, repository, scope, version, key, size, bytes, segments, createdMs, usedMs } = entry;
    this.#database
      .prepare(
        'INSERT INTO entries (id, repository, scope, version, folded, key, size, bytes, segments, created_ms, used_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
      )
      .run(id, repository, scope, version, foldKey(key), key, size, bytes, JSON.stringify(segments), createdMs, usedMs);
  }

  remove(ids: readonly number[]): void {
    if (ids.length === 0) return;
    const statement = this.#database.prepare('DELETE FROM entries WHERE id = ?');
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      for (const id of ids) statement.run(id);
      this.#database.exec('COMMIT');
    } catch (error) {
      this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  knows(id: number): boolean {
    return this.#database.prepare('SELECT 1 FROM entries WHERE id = ?').get(id) !== undefined;
  }

  /** Some entries, those that were used last first, from one of them on. */
  page(count: number, after?: Pick<IndexedEntry, 'usedMs' | 'id'>): readonly IndexedEntry[] {
    const { usedMs, id } = after ?? { usedMs: Number.MAX_SAFE_INTEGER, id: 0 };
    return this.#database
      .prepare('SELECT * FROM entries WHERE (used_ms, id) < (?, ?) ORDER BY used_ms DESC, id DESC LIMIT ?')
      .all(usedMs, id, count)
      .map(readEntry);
  }

  /** Some entries that are older than they may be, or were unused for too long. */
  expired({ maxAgeMs, maxUnusedMs }: CacheLimits, nowMs: number, count: number): readonly IndexedEntry[] {
    return this.#database
      .prepare('SELECT * FROM entries WHERE created_ms < ? OR used_ms < ? LIMIT ?')
      .all(before(nowMs, maxAgeMs), before(nowMs, maxUnusedMs), count)
      .map(readEntry);
  }

  /** Repositories that have more than they may, and by how many bytes. */
  overfull(maxRepositoryBytes: number): readonly { readonly repository: string; readonly excess: number }[] {
    if (!Number.isFinite(maxRepositoryBytes)) return [];
    return this.#database
      .prepare('SELECT repository, sum(bytes) AS bytes FROM entries GROUP BY repository HAVING sum(bytes) > ?')
      .all(maxRepositoryBytes)
      .map((row) => ({ repository: String(row['repository']), excess: Number(row['bytes']) - maxRepositoryBytes }));
  }

  /** Bytes of all entries. */
  totalBytes(): number {
    return Number(this.#database.prepare('SELECT sum(bytes) AS bytes FROM entries').get()?.['bytes'] ?? 0);
  }

  /** Some of the entries that nobody used for longest, of one repository or of all. */
  leastUsed(count: number, repository?: string): readonly IndexedEntry[] {
    const rows =
      repository === undefined
        ? this.#database.prepare('SELECT * FROM entries ORDER BY used_ms LIMIT ?').all(count)
        : this.#database
            .prepare('SELECT * FROM entries WHERE repository = ? ORDER BY used_ms LIMIT ?')
            .all(repository, count);
    return rows.map(readEntry);
  }
}

/** A limit of `Infinity` is none. */
function before(nowMs: number, limitMs: number): number {
  return Number.isFinite(limitMs) ? nowMs - limitMs : 0;
}

/** Keys are the same for look-ups where only their case differs. */
export function foldKey(key: string): string {
  return key.toLowerCase();
}

/** The first text after all that begin with a prefix, as SQLite compares them: by their bytes in UTF-8. */
function afterPrefix(prefix: string): string {
  return `${prefix}\u{10FFFF}`;
}

function readEntry(row: Record<string, unknown>): IndexedEntry {
  return {
    id: Number(row['id']),
    repository: String(row['repository']),
    scope: String(row['scope']),
    version: String(row['version']),
    key: String(row['key']),
    size: Number(row['size']),
    bytes: Number(row['bytes']),
    // Written by `add`.
    segments: JSON.parse(String(row['segments'])) as Segments,
    createdMs: Number(row['created_ms']),
    usedMs: Number(row['used_ms']),
  };
}
