import type { Buffer } from 'node:buffer';
import { type FileHandle, open } from 'node:fs/promises';
import type { LogRow, LogSection } from '../report/job-report.ts';
import { encodeBlock, rowLine, type SpooledRow } from './log-spool-blocks.ts';
import { type ReadLimits, SpoolReader } from './log-spool-reader.ts';

/** How a spool is written. */
export interface SpoolOptions {
  /** Bytes that the log of one job may take. */
  readonly limitBytes: number;
  /** Told when rows could not be written: they are gone, and the log goes on after those before them. */
  readonly onLoss?: (error: unknown, rows: number) => void;
}

/** The end of a log that is full still takes what the runner itself says there. */
const endReserveBytes = 1024 * 1024;
/** Characters in one block: large enough to be cheap, small enough to be read at once. */
const blockCharacters = 128 * 1024;

/**
 * The log of one job on the disk: rows only ever come to its end. What was appended survives the death of this process,
 * because it is the operating system's by then; it is not forced onto the disk with every row, because a machine without
 * power has lost the job as well, and one forced write takes as long as thousands of rows. A torn end is found by its
 * checksum and cut off.
 */
export class LogSpool implements AsyncDisposable {
  readonly #file: FileHandle;
  readonly #options: SpoolOptions;
  readonly #reader: SpoolReader;
  #pending: string[] = [];
  #flushedRows: number;
  #bytes: number;
  #lastMs: number;
  #lost = 0;
  #isFull = false;
  #writing: Promise<void> | undefined;
  readonly #waiting: { readonly upTo: number; readonly resolve: () => void }[] = [];

  private constructor(file: FileHandle, options: SpoolOptions, reader: SpoolReader, end: SpoolState) {
    this.#file = file;
    this.#options = options;
    this.#reader = reader;
    this.#flushedRows = end.rowCount;
    this.#bytes = end.bytes;
    this.#lastMs = end.lastMs;
  }

  /** Makes the file of a new job, for this user alone. */
  static async create(path: string, options: SpoolOptions): Promise<LogSpool> {
    const file = await open(path, 'wx+', 0o600);
    return new LogSpool(file, options, new SpoolReader(file), { rowCount: 0, bytes: 0, lastMs: 0 });
  }

  /** Opens the file of a job whose runner died; what is not whole at its end is cut off. */
  static async reopen(path: string, options: SpoolOptions): Promise<LogSpool> {
    const file = await open(path, 'r+');
    const reader = new SpoolReader(file);
    const { size } = await file.stat();
    const end = await reader.findEnd(size);
    if (end.bytes < size) await file.truncate(end.bytes);
    return new LogSpool(file, options, reader, { ...end, lastMs: end.lastRow?.atMs ?? 0 });
  }

  /** Rows that have a number, also those on their way to the disk. */
  get rowCount(): number {
    return this.#flushedRows + this.#pending.length;
  }

  /** Rows that can be read. */
  get flushedRows(): number {
    return this.#flushedRows;
  }

  /** Size of the file. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Gives rows their numbers at once, and resolves when they are written. Time never runs backwards in a log. Beyond the
   * limit the log ends with a row that says so: the job goes on, because its result is worth more than the rest of a log
   * of this size.
   */
  append(section: LogSection, rows: readonly LogRow[]): Promise<void> {
    if (this.#takesMore(section, rows)) {
      if (this.#lost > 0) {
        this.#push(section, { atMs: this.#lastMs, text: lossText(this.#lost) });
        this.#lost = 0;
      }
      for (const row of rows) this.#push(section, row);
    }
    const upTo = this.rowCount;
    if (upTo === this.#flushedRows) return Promise.resolve();
    this.#writing ??= this.#write();
    return new Promise((resolve) => this.#waiting.push({ upTo, resolve }));
  }

  #takesMore(section: LogSection, rows: readonly LogRow[]): boolean {
    const { limitBytes } = this.#options;
    if (section.kind === 'complete' && this.#bytes < limitBytes + endReserveBytes) return true;
    if (this.#isFull) return false;
    if (this.#bytes < limitBytes) return true;
    this.#isFull = true;
    this.#push(section, { atMs: rows[0]?.atMs ?? this.#lastMs, text: fullText(limitBytes) });
    return false;
  }

  #push(section: LogSection, row: LogRow): void {
    this.#lastMs = Math.max(this.#lastMs, row.atMs);
    this.#pending.push(rowLine(section, { atMs: this.#lastMs, text: row.text }));
  }

  async #write(): Promise<void> {
    while (this.#pending.length > 0) {
      const lines = this.#nextLines();
      const block = encodeBlock(this.#flushedRows, lines);
      try {
        await writeAll(this.#file, block, this.#bytes);
        this.#bytes += block.length;
        this.#flushedRows += lines.length;
        // Taken out only now: `rowCount` counts them all the time.
        this.#pending.splice(0, lines.length);
      } catch (error) {
        this.#dropPending(error);
      }
      while ((this.#waiting[0]?.upTo ?? Number.POSITIVE_INFINITY) <= this.#flushedRows)
        this.#waiting.shift()?.resolve();
    }
    this.#writing = undefined;
  }

  #nextLines(): readonly string[] {
    let characters = 0;
    const end = this.#pending.findIndex((line) => {
      characters += line.length;
      return characters > blockCharacters;
    });
    return end < 0 ? this.#pending.slice() : this.#pending.slice(0, Math.max(1, end));
  }

  /** What a part of a block left behind in the file is written over by the next one. */
  #dropPending(error: unknown): void {
    const rows = this.#pending.length;
    this.#pending = [];
    this.#lost += rows;
    for (const { resolve } of this.#waiting.splice(0)) resolve();
    this.#options.onLoss?.(error, rows);
  }

  /** Rows from number `from` on that are written, within limits. */
  read(from: number, limits: ReadLimits): Promise<readonly SpooledRow[]> {
    return this.#reader.read(from, limits, this.#bytes);
  }

  /** The last row that is written. */
  async lastRow(): Promise<SpooledRow | undefined> {
    if (this.#flushedRows === 0) return undefined;
    const [row] = await this.read(this.#flushedRows - 1, { rows: 1, bytes: 1 });
    return row;
  }

  /** Forces all rows onto the disk: what follows must not be known before them. */
  async sync(): Promise<void> {
    await this.#writing;
    await this.#file.datasync();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing;
    await this.#file.close();
  }
}

interface SpoolState {
  readonly rowCount: number;
  readonly bytes: number;
  readonly lastMs: number;
}

async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const { bytesWritten } = await file.write(bytes, written, bytes.length - written, position + written);
    written += bytesWritten;
  }
}

function lossText(rows: number): string {
  return `##[warning]${rows === 1 ? '1 row is' : `${rows} rows are`} missing here: the runner could not write them to its disk`;
}

function fullText(limitBytes: number): string {
  const mebibytes = Math.floor(limitBytes / (1024 * 1024));
  const limit = mebibytes > 0 ? `${mebibytes} MiB` : `${limitBytes} bytes`;
  return `##[warning]The log ends here: it has reached the limit of ${limit} that this runner has for one job; the job goes on`;
}
