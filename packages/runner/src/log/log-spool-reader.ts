import { type FileHandle, open } from 'node:fs/promises';
import { type BlockPlace, FileWindow, findBlock, nextOffset, readBlock, type SpooledRow } from './log-spool-blocks.ts';

/** How much one reading brings. */
export interface ReadLimits {
  readonly rows: number;
  /** Of text; one row comes also where it alone is more. */
  readonly bytes: number;
}

/** Where the whole blocks of a spool end. */
export interface SpoolEnd {
  readonly rowCount: number;
  readonly bytes: number;
  readonly lastRow?: SpooledRow;
}

/** Reads rows by their numbers. Sequential reading costs no search. */
export class SpoolReader {
  readonly #file: FileHandle;
  /** First blocks after each 64 KiB: enough to find any row soon, in bounded memory. */
  readonly #places: Pick<BlockPlace, 'firstRow' | 'offset'>[] = [{ firstRow: 0, offset: 0 }];
  #next: Pick<BlockPlace, 'firstRow' | 'offset'> = { firstRow: 0, offset: 0 };

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Rows from number `from` on, as far as there are whole blocks below `fileBytes` and the limits allow. */
  async read(from: number, limits: ReadLimits, fileBytes: number): Promise<readonly SpooledRow[]> {
    const rows: SpooledRow[] = [];
    let bytes = 0;
    const window = new FileWindow(this.#file, fileBytes);
    let { offset } = this.#placeOf(from);
    for (;;) {
      const place = await findBlock(window, offset);
      if (place === undefined) return rows;
      this.#remember(place);
      if (place.firstRow + place.rowCount > from) {
        this.#next = place;
        const content = await readBlock(window, place);
        if (content === undefined) return rows;
        for (const row of content) {
          if (row.index < from) continue;
          bytes += Buffer.byteLength(row.text);
          if (rows.length > 0 && (rows.length >= limits.rows || bytes > limits.bytes)) return rows;
          rows.push(row);
        }
      }
      offset = nextOffset(place);
    }
  }

  /** Looks at every block. */
  async findEnd(fileBytes: number): Promise<SpoolEnd> {
    const window = new FileWindow(this.#file, fileBytes);
    let end: SpoolEnd = { rowCount: 0, bytes: 0 };
    for (;;) {
      const place = await findBlock(window, end.bytes);
      // A block out of order is no block: the file was not written by one writer.
      if (place === undefined || place.firstRow !== end.rowCount) return end;
      const rows = await readBlock(window, place);
      if (rows === undefined) return end;
      this.#remember(place);
      const lastRow = rows.at(-1);
      end = {
        rowCount: place.firstRow + place.rowCount,
        bytes: nextOffset(place),
        ...(lastRow === undefined ? {} : { lastRow }),
      };
    }
  }

  #placeOf(row: number): Pick<BlockPlace, 'offset'> {
    const isNear = this.#next.firstRow <= row;
    const known = this.#places.findLast(({ firstRow }) => firstRow <= row) ?? { firstRow: 0, offset: 0 };
    return isNear && this.#next.firstRow >= known.firstRow ? this.#next : known;
  }

  #remember({ firstRow, offset }: BlockPlace): void {
    const last = this.#places.at(-1);
    if (last === undefined || offset >= last.offset + 64 * 1024) this.#places.push({ firstRow, offset });
  }
}

/** What {@link readSpool} reads. */
export interface SpoolQuery {
  readonly path: string;
  /** Asked when all there is was read; while it resolves to true, reading goes on. */
  readonly waitForMore?: () => Promise<boolean>;
}

/** All rows of a spool file in order, in batches; also while another process writes it. */
export async function* readSpool({ path, waitForMore }: SpoolQuery): AsyncGenerator<readonly SpooledRow[]> {
  await using file = await open(path, 'r');
  const reader = new SpoolReader(file);
  let next = 0;
  for (;;) {
    const { size } = await file.stat();
    const rows = await reader.read(next, { rows: 1000, bytes: 1024 * 1024 }, size);
    next += rows.length;
    if (rows.length > 0) yield rows;
    else if ((await waitForMore?.()) !== true) return;
  }
}
