import type { Logger } from '@forgejo-runner/core';
import type { LogSpool } from '../log/log-spool.ts';
import type { LogRow } from './job-report.ts';
import { type ReportChannel, ReportFailure, reportFailure } from './report-channel.ts';

/** Rows in one request. */
const mostRows = 1000;
/** Text in one request. As JSON it may grow to six times as much, and many proxies take 1 MiB. */
const mostBytes = 160 * 1024;

/** What {@link LogSender} sends from and to. */
export interface LogSenderOptions {
  readonly taskId: string;
  readonly spool: LogSpool;
  readonly channel: Pick<ReportChannel, 'updateLog'>;
  readonly log: Logger;
  /** Rows that the server had when an earlier process ended. */
  readonly ackedRows: number;
  /** Rows that an earlier process wrote; 0 in the one that runs the job. */
  readonly oldRows: number;
}

/** Brings the rows of a spool to the server: each once, in order, from wherever the server says it stands. */
export class LogSender {
  readonly #options: LogSenderOptions;
  #ackedRows: number;
  /** By so many rows the server is ahead of a spool that lost its end. */
  #shift = 0;
  #rowLimit = mostRows;
  #isClosed = false;

  constructor(options: LogSenderOptions) {
    this.#options = options;
    this.#ackedRows = options.ackedRows;
  }

  /** Rows of the spool that the server has. */
  get ackedRows(): number {
    return this.#ackedRows;
  }

  /** Whether the server takes no further row. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  get hasRows(): boolean {
    return !this.#isClosed && this.#ackedRows < this.#options.spool.flushedRows;
  }

  /**
   * Sends the next rows. With `closing` the log is closed by that row, which comes after all others: the server closes a
   * log only together with a row that it does not have yet. Resolves with whether more may follow at once.
   *
   * @throws {ReportFailure}
   */
  async send(closing: LogRow | undefined, signal: AbortSignal): Promise<boolean> {
    const { taskId, spool, channel } = this.#options;
    const read = await spool.read(this.#ackedRows, { rows: this.#rowLimit, bytes: mostBytes });
    // Rows that were written cannot be read: a disk that fails must not stop the report of the result.
    const isBroken = read.length === 0 && this.hasRows;
    if (isBroken && closing === undefined) return this.#close('rows cannot be read from the disk');
    const rows: LogRow[] = read.map(({ atMs, text }) => ({ atMs, text }));
    const noMore = closing !== undefined && (isBroken || this.#ackedRows + rows.length === spool.flushedRows);
    if (noMore) rows.push({ ...closing, atMs: Math.max(closing.atMs, rows.at(-1)?.atMs ?? 0) });
    const index = this.#ackedRows + this.#shift;
    try {
      const { ackIndex } = await channel.updateLog({ taskId, index, rows, noMore }, signal);
      if (noMore && ackIndex === index + rows.length) {
        this.#ackedRows += read.length;
        this.#isClosed = true;
      } else this.#acknowledge(ackIndex, index + rows.length);
      return this.hasRows;
    } catch (error) {
      return this.#failed(reportFailure(error), { rows: rows.length, isLast: closing !== undefined });
    }
  }

  #acknowledge(ackIndex: number, sentEnd: number): void {
    const { oldRows, log, taskId } = this.#options;
    if (!Number.isSafeInteger(ackIndex) || ackIndex < 0) {
      throw new ReportFailure('retry', `expected a number of rows, found ${String(ackIndex)}`);
    }
    const before = this.#ackedRows;
    // It has rows that the disk lost with the power: what is new comes after them.
    if (ackIndex > sentEnd && ackIndex > oldRows) this.#shift = ackIndex - oldRows;
    // Fewer rows than the shift: the server lost all of ours, and gets them from the first one on.
    if (ackIndex < this.#shift) this.#shift = 0;
    this.#ackedRows = ackIndex - this.#shift;
    if (this.#ackedRows > before) return;
    if (this.#ackedRows < before) {
      log.warn('the instance has fewer rows of a log than before; they are sent again', {
        task: taskId,
        had: before,
        has: this.#ackedRows,
      });
    }
    // Not at once: an instance that never takes a row must not be asked without a pause.
    throw new ReportFailure('retry', 'the instance took no row of the log');
  }

  #failed(failure: ReportFailure, { rows, isLast }: { readonly rows: number; readonly isLast: boolean }): boolean {
    if (failure.kind === 'refused' && rows > 1) {
      this.#rowLimit = Math.floor(rows / 2);
      return true;
    }
    if (failure.kind === 'archived' || failure.kind === 'refused') {
      // At the end the answer to the very last rows may have been lost: then all is well.
      if (failure.kind === 'refused' || !isLast) return this.#close(failure.message);
      this.#ackedRows = this.#options.spool.flushedRows;
      this.#isClosed = true;
      return false;
    }
    throw failure;
  }

  /** The log stays as it is on the server. */
  giveUp(reason: string): void {
    this.#close(reason);
  }

  #close(reason: string): false {
    this.#isClosed = true;
    const { log, taskId } = this.#options;
    log.warn('the log on the instance ends early', { task: taskId, rows: this.#ackedRows, reason });
    return false;
  }
}
