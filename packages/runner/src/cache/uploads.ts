import { type FileHandle, mkdir, open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { CacheRefusal } from './cache-refusal.ts';
import { joinSegments, type Segments, sizeOf } from './segments.ts';

/** What an upload will be. */
export interface UploadTarget {
  readonly repository: string;
  readonly scope: string;
  readonly version: string;
  readonly key: string;
  /** The job that it belongs to; no other one may add to it. */
  readonly job: string;
}

/** An upload that goes on. */
export interface Upload extends UploadTarget {
  readonly id: number;
  /** Which parts make the content, where the client has said that. */
  readonly segments?: Segments;
}

/** An upload that is complete: a file, and the content in it. */
export interface FinishedUpload {
  readonly upload: Upload;
  readonly path: string;
  readonly size: number;
  /** Of the file, which may have parts that were replaced. */
  readonly bytes: number;
  readonly segments: Segments;
}

/** Bytes as they come from a client. */
export type Body = AsyncIterable<Uint8Array>;

/** A client that is silent so long has given up, or its runner is dead. */
const abandonedMs = 3_600_000;

/** What comes in and is no entry yet. On the disk with every part that is whole, so that it survives a restart. */
export class Uploads {
  readonly #database: DatabaseSync;
  readonly #folder: string;
  /** Bytes that the uploads of one repository may have together. */
  readonly #limitBytes: number;
  /** Ends of the files of uploads that this process writes. */
  readonly #ends = new Map<number, { readonly repository: string; end: number }>();
  readonly #writing = new Map<number, number>();

  constructor(database: DatabaseSync, folder: string, limitBytes: number) {
    this.#database = database;
    this.#folder = folder;
    this.#limitBytes = limitBytes;
  }

  /** @throws {CacheRefusal} `exists` while another job uploads the same. */
  async begin(target: UploadTarget): Promise<Upload> {
    const { repository, scope, version, key, job } = target;
    const others = this.#database
      .prepare('SELECT id, job, touched_ms FROM uploads WHERE repository = ? AND scope = ? AND version = ? AND key = ?')
      .all(repository, scope, version, key);
    for (const other of others) {
      const isOver = other['job'] === job || Number(other['touched_ms']) < Date.now() - abandonedMs;
      if (!isOver) throw new CacheRefusal('exists', 'another job is saving a cache with this key');
      await this.discard(Number(other['id']));
    }
    const { lastInsertRowid } = this.#database
      .prepare('INSERT INTO uploads (repository, scope, version, key, job, touched_ms) VALUES (?, ?, ?, ?, ?, ?)')
      .run(repository, scope, version, key, job, Date.now());
    const id = Number(lastInsertRowid);
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    await (await open(this.#path(id), 'w', 0o600)).close();
    return { ...target, id };
  }

  /** @throws {CacheRefusal} `missing` where this job has no such upload. */
  find(id: number, job: string): Upload {
    const row = Number.isSafeInteger(id)
      ? this.#database.prepare('SELECT * FROM uploads WHERE id = ? AND job = ?').get(id, job)
      : undefined;
    if (row === undefined) throw new CacheRefusal('missing', 'this upload is not known, or over');
    return readUpload(row);
  }

  /** The upload of a job for a key. */
  findByKey({ repository, scope, version, key, job }: UploadTarget): Upload {
    const row = this.#database
      .prepare('SELECT * FROM uploads WHERE repository = ? AND scope = ? AND version = ? AND key = ? AND job = ?')
      .get(repository, scope, version, key, job);
    if (row === undefined) throw new CacheRefusal('missing', 'no upload was begun for this key');
    return readUpload(row);
  }

  /** Takes a part whose place the client knows. */
  async write(upload: Upload, start: number, length: number, body: Body): Promise<void> {
    this.#grow(upload, start + length);
    await this.#take(upload, { name: `at ${start}`, start, length }, body);
  }

  /** Takes a part whose place the client will tell at the end. The same name again replaces it. */
  async stage(upload: Upload, name: string, length: number, body: Body): Promise<void> {
    // A place of its own for every try: a client that gave up on one may still be sending it.
    const start = this.#end(upload);
    this.#grow(upload, start + length);
    await this.#take(upload, { name: `block ${name}`, start, length }, body);
  }

  /** Takes all of the content at once. */
  async put(upload: Upload, length: number, body: Body): Promise<void> {
    const start = this.#end(upload);
    this.#grow(upload, start + length);
    await this.#take(upload, { name: 'all', start, length }, body);
    this.#choose(upload, [[start, length]]);
  }

  /** Says which staged parts make the content, in their order. @throws {CacheRefusal} `invalid` where one is missing. */
  arrange(upload: Upload, names: readonly string[]): void {
    const statement = this.#database.prepare('SELECT start, length FROM pieces WHERE upload = ? AND name = ?');
    const segments = names.map((name): [number, number] => {
      const row = statement.get(upload.id, `block ${name}`);
      if (row === undefined) throw new CacheRefusal('invalid', 'expected blocks that were uploaded, found another one');
      return [Number(row['start']), Number(row['length'])];
    });
    this.#choose(upload, joinSegments(segments));
  }

  /**
   * Checks that all is there, and has it on the disk. The upload stays known until {@link forget}.
   *
   * @throws {CacheRefusal} `invalid` where something is missing, or is coming still.
   */
  async finish(upload: Upload, size: number): Promise<FinishedUpload> {
    if ((this.#writing.get(upload.id) ?? 0) > 0)
      throw new CacheRefusal('invalid', 'parts of this upload are still coming');
    const segments = upload.segments ?? this.#tiled(upload);
    const found = sizeOf(segments);
    if (found !== size) throw new CacheRefusal('invalid', `expected ${size} bytes, found ${found}`);
    const path = this.#path(upload.id);
    await using file = await open(path, 'r+');
    await file.datasync();
    return { upload, path, size, segments, bytes: (await file.stat()).size };
  }

  /** After its file became an entry. */
  forget(id: number): void {
    this.#database.prepare('DELETE FROM uploads WHERE id = ?').run(id);
    this.#ends.delete(id);
  }

  async discard(id: number): Promise<void> {
    this.forget(id);
    await rm(this.#path(id), { force: true });
  }

  /** Removes what a job began and did not finish. */
  async discardOf(job: string): Promise<void> {
    const rows = this.#database.prepare('SELECT id FROM uploads WHERE job = ?').all(job);
    for (const row of rows) await this.discard(Number(row['id']));
  }

  /** Removes what dead runners left. @returns how many. */
  async sweep(nowMs: number): Promise<number> {
    const before = nowMs - abandonedMs;
    const rows = this.#database.prepare('SELECT id FROM uploads WHERE touched_ms < ?').all(before);
    for (const row of rows) await this.discard(Number(row['id']));
    let removed = rows.length;
    for (const name of await readdir(this.#folder).catch(() => [])) {
      const isKnown = this.#database.prepare('SELECT 1 FROM uploads WHERE id = ?').get(Number(name) || 0) !== undefined;
      const found = await stat(join(this.#folder, name)).catch(() => undefined);
      if (isKnown || found === undefined || found.mtimeMs >= before) continue;
      await rm(join(this.#folder, name), { recursive: true, force: true });
      removed += 1;
    }
    return removed;
  }

  #path(id: number): string {
    return join(this.#folder, String(id));
  }

  /** Writes a part, and knows it only when all of it came. */
  async #take(upload: Upload, piece: { name: string; start: number; length: number }, body: Body): Promise<void> {
    const { id } = upload;
    this.#writing.set(id, (this.#writing.get(id) ?? 0) + 1);
    try {
      await using file = await open(this.#path(id), 'r+');
      await writeBody(file, piece, body);
    } finally {
      this.#writing.set(id, (this.#writing.get(id) ?? 1) - 1);
      if (this.#writing.get(id) === 0) this.#writing.delete(id);
    }
    this.find(id, upload.job);
    this.#database
      .prepare('INSERT OR REPLACE INTO pieces (upload, name, start, length) VALUES (?, ?, ?, ?)')
      .run(id, piece.name, piece.start, piece.length);
    this.#database.prepare('UPDATE uploads SET touched_ms = ? WHERE id = ?').run(Date.now(), id);
  }

  #choose(upload: Upload, segments: Segments): void {
    this.#database.prepare('UPDATE uploads SET segments = ? WHERE id = ?').run(JSON.stringify(segments), upload.id);
  }

  /** The content where parts came with their places: they have to leave no gap. */
  #tiled(upload: Upload): Segments {
    let end = 0;
    const rows = this.#database
      .prepare("SELECT start, length FROM pieces WHERE upload = ? AND name LIKE 'at %' ORDER BY start")
      .all(upload.id);
    for (const row of rows) {
      const start = Number(row['start']);
      if (start > end) throw new CacheRefusal('invalid', `expected all bytes, found none from ${end} to ${start}`);
      end = Math.max(end, start + Number(row['length']));
    }
    return joinSegments([[0, end]]);
  }

  #end(upload: Upload): number {
    return this.#known(upload).end;
  }

  #known(upload: Upload): { readonly repository: string; end: number } {
    const known = this.#ends.get(upload.id);
    if (known !== undefined) return known;
    const row = this.#database
      .prepare('SELECT max(start + length) AS "end" FROM pieces WHERE upload = ?')
      .get(upload.id);
    const read = { repository: upload.repository, end: Number(row?.['end'] ?? 0) };
    this.#ends.set(upload.id, read);
    return read;
  }

  /** Before a byte is read, so that nobody fills the disk with what will be refused. */
  #grow(upload: Upload, end: number): void {
    const known = this.#known(upload);
    let bytes = Math.max(0, end - known.end);
    for (const other of this.#ends.values()) if (other.repository === upload.repository) bytes += other.end;
    if (bytes > this.#limitBytes) {
      throw new CacheRefusal(
        'too-large',
        `the uploads of a repository may have ${this.#limitBytes} bytes at the same time, and this one would make it ${bytes}`,
      );
    }
    known.end = Math.max(known.end, end);
  }
}

function readUpload(row: Record<string, unknown>): Upload {
  const segments = row['segments'];
  return {
    id: Number(row['id']),
    repository: String(row['repository']),
    scope: String(row['scope']),
    version: String(row['version']),
    key: String(row['key']),
    job: String(row['job']),
    // Written by `arrange` and `put`.
    ...(typeof segments === 'string' ? { segments: JSON.parse(segments) as Segments } : {}),
  };
}

async function writeBody(file: FileHandle, piece: { start: number; length: number }, body: Body): Promise<void> {
  let at = piece.start;
  const end = piece.start + piece.length;
  for await (const chunk of body) {
    if (at + chunk.length > end) throw new CacheRefusal('invalid', `expected ${piece.length} bytes, found more`);
    for (let written = 0; written < chunk.length; ) {
      const { bytesWritten } = await file.write(chunk, written, chunk.length - written, at + written);
      written += bytesWritten;
    }
    at += chunk.length;
  }
  if (at !== end) throw new CacheRefusal('invalid', `expected ${piece.length} bytes, found ${at - piece.start}`);
}
