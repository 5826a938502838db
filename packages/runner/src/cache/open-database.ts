import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { UserError } from '../user-error.ts';

/** Of this layout. A cache of another one is not touched. */
const layout = 1;

/**
 * Opens the database of a cache folder. Several processes may: writers wait for each other, readers for nobody.
 *
 * @throws {UserError} `FRR801` where the folder cannot be used.
 */
export async function openDatabase(folder: string): Promise<DatabaseSync> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const { DatabaseSync } = await import('node:sqlite');
    const database = new DatabaseSync(join(folder, 'index.db'), { timeout: 10_000 });
    try {
      prepare(database);
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  } catch (error) {
    throw new UserError('FRR801', {
      problems: [{ message: `expected a cache in ${folder}, found ${messageOf(error)}` }],
      next: 'set cache.dir to a folder that this runner may write to, or remove what is in it',
      cause: error,
    });
  }
}

function prepare(database: DatabaseSync): void {
  // NORMAL with WAL loses no consistency, only the last moments before a power cut.
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON');
  database.exec('BEGIN IMMEDIATE');
  try {
    const found = Number(database.prepare('PRAGMA user_version').get()?.['user_version']);
    if (found !== 0 && found !== layout) throw new Error(`one of another version of the runner (layout ${found})`);
    if (found === 0) database.exec(tables);
    database.exec('COMMIT');
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}

// Ids are never used twice: an address that was handed out never means another upload.
const tables = `
  CREATE TABLE uploads (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    repository TEXT NOT NULL,
    scope TEXT NOT NULL,
    version TEXT NOT NULL,
    key TEXT NOT NULL,
    job TEXT NOT NULL,
    touched_ms INTEGER NOT NULL,
    segments TEXT
  ) STRICT;
  CREATE TABLE pieces (
    upload INTEGER NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    start INTEGER NOT NULL,
    length INTEGER NOT NULL,
    PRIMARY KEY (upload, name)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE entries (
    id INTEGER PRIMARY KEY,
    repository TEXT NOT NULL,
    scope TEXT NOT NULL,
    version TEXT NOT NULL,
    folded TEXT NOT NULL,
    key TEXT NOT NULL,
    size INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    segments TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    used_ms INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX entries_by_key ON entries (repository, scope, version, folded, created_ms);
  CREATE INDEX entries_by_use ON entries (used_ms);
  CREATE INDEX entries_by_repository ON entries (repository, used_ms, bytes);
  CREATE INDEX entries_by_age ON entries (created_ms);
  PRAGMA user_version = ${layout};
`;

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
