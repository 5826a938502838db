/** A row as the server keeps it. */
export interface StoredRow {
  readonly atMs: number;
  readonly text: string;
}

/** What an `UpdateLog` did. */
export type LogOutcome =
  /** So many rows were new. */
  | { readonly kind: 'stored'; readonly rows: number; readonly ackIndex: number; readonly isArchived: boolean }
  /** There was nothing new, or rows before it are missing; `no_more` was not looked at. */
  | { readonly kind: 'ignored'; readonly ackIndex: number }
  | { readonly kind: 'archived' };

/** Rows are cut to so many bytes. */
const rowLimitBytes = 64 * 1024;

/** The log of one task. */
export class TaskLog {
  readonly #rows: StoredRow[] = [];
  #isArchived = false;
  #differing = 0;

  get rows(): readonly StoredRow[] {
    return this.#rows;
  }

  /** Put away: it takes nothing more. */
  get isArchived(): boolean {
    return this.#isArchived;
  }

  /** Rows that were sent again with another text than before. */
  get differing(): number {
    return this.#differing;
  }

  /** Takes rows as an instance does, which looks at `no_more` only where a row is new. */
  update(index: number, rows: readonly StoredRow[], noMore: boolean): LogOutcome {
    const ack = this.#rows.length;
    this.#compare(index, rows);
    if (rows.length === 0 || index > ack || index + rows.length <= ack) return { kind: 'ignored', ackIndex: ack };
    if (this.#isArchived) return { kind: 'archived' };
    for (const { atMs, text } of rows.slice(ack - index)) this.#rows.push({ atMs, text: storedText(text) });
    if (noMore) this.#isArchived = true;
    const ackIndex = this.#rows.length;
    return { kind: 'stored', rows: ackIndex - ack, ackIndex, isArchived: noMore };
  }

  /** As timers do with the log of a task that they end. */
  archive(): void {
    this.#isArchived = true;
  }

  /** Loses its last rows, as an instance does that comes back from a backup. */
  forget(rows: number): void {
    this.#rows.splice(Math.max(0, this.#rows.length - rows));
    this.#isArchived = false;
  }

  #compare(index: number, rows: readonly StoredRow[]): void {
    for (const [offset, { text }] of rows.entries()) {
      const stored = this.#rows[index + offset];
      if (stored === undefined) return;
      if (stored.text !== storedText(text)) this.#differing += 1;
    }
  }
}

function storedText(text: string): string {
  const oneLine = text.replaceAll('\n', String.raw`\n`);
  // Most rows are short: no character takes more than three bytes of UTF-8 for each unit of UTF-16.
  if (oneLine.length * 3 <= rowLimitBytes) return oneLine;
  const bytes = Buffer.from(oneLine, 'utf8');
  return bytes.length <= rowLimitBytes ? oneLine : bytes.toString('utf8', 0, rowLimitBytes);
}
