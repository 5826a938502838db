import { Buffer } from 'node:buffer';
import type { FileHandle } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { LogRow, LogSection } from '../report/job-report.ts';

/** A row as it stands in a spool. */
export interface SpooledRow extends LogRow {
  /** Place in the log of the job, from 0. */
  readonly index: number;
  readonly section: LogSection;
}

/** Where a block begins, and what its header says. */
export interface BlockPlace {
  /** Bytes from the start of the file. */
  readonly offset: number;
  readonly firstRow: number;
  readonly rowCount: number;
  readonly contentOffset: number;
  readonly contentBytes: number;
  readonly crc: number;
}

// A block is `#first-row rows bytes crc` and a newline, then a line for each row: `time section text`. Text, so that
// `less` reads a spool where no runner is at hand. The checksum tells a block that was torn by a power failure.
const headerPattern = /^#(\d{1,15}) (\d{1,9}) (\d{1,9}) ([0-9a-f]{8})\n/;
const longestHeader = 64;
/** The writer makes blocks of some 100 KiB, and of one row where that is longer. */
const mostContentBytes = 16 * 1024 * 1024;
const windowBytes = 128 * 1024;

/** One row as a line of a block. */
export function rowLine(section: LogSection, { atMs, text }: LogRow): string {
  // Rows have no newline. One that has would be two; the instance shows them so as well.
  const oneLine = text.includes('\n') ? text.replaceAll('\n', '\\n') : text;
  return `${atMs} ${sectionCode(section)} ${oneLine}\n`;
}

/** Lines of rows as a block of the file. */
export function encodeBlock(firstRow: number, lines: readonly string[]): Buffer {
  const content = Buffer.from(lines.join(''));
  const crc = crc32(content).toString(16).padStart(8, '0');
  const header = Buffer.from(`#${firstRow} ${lines.length} ${content.length} ${crc}\n`);
  return Buffer.concat([header, content]);
}

/**
 * Bytes of a file up to a size that holds for one reading, in pieces: a log of single rows has hundreds of thousands of
 * blocks. Not kept for longer, because another process may be writing the end of the file.
 */
export class FileWindow {
  readonly size: number;
  readonly #file: FileHandle;
  #start = 0;
  #bytes: Buffer = Buffer.alloc(0);

  constructor(file: FileHandle, size: number) {
    this.#file = file;
    this.size = size;
  }

  /** As many bytes as there are, up to `length`. */
  async read(position: number, length: number): Promise<Buffer> {
    const wanted = Math.max(0, Math.min(length, this.size - position));
    const isInside = position >= this.#start && position + wanted <= this.#start + this.#bytes.length;
    if (!isInside) {
      this.#bytes = await readAt(this.#file, position, Math.min(Math.max(wanted, windowBytes), this.size - position));
      this.#start = position;
    }
    return this.#bytes.subarray(position - this.#start, position - this.#start + wanted);
  }
}

/** Reads the header at `offset`; `undefined` where there is none, or less of the block than it says. */
export async function findBlock(window: FileWindow, offset: number): Promise<BlockPlace | undefined> {
  if (offset >= window.size) return undefined;
  const head = await window.read(offset, longestHeader);
  const [all = '', firstRow, rowCount, contentBytes, crc = ''] = headerPattern.exec(head.toString('latin1')) ?? [];
  const contentOffset = offset + all.length;
  const bytes = Number(contentBytes);
  if (all === '' || bytes > mostContentBytes || contentOffset + bytes > window.size) return undefined;
  return {
    offset,
    firstRow: Number(firstRow),
    rowCount: Number(rowCount),
    contentOffset,
    contentBytes: bytes,
    crc: Number.parseInt(crc, 16),
  };
}

/** The rows of a block; `undefined` where its content is not what was written. */
export async function readBlock(window: FileWindow, place: BlockPlace): Promise<readonly SpooledRow[] | undefined> {
  const content = await window.read(place.contentOffset, place.contentBytes);
  if (content.length !== place.contentBytes || crc32(content) !== place.crc) return undefined;
  const lines = content.toString('utf8').split('\n');
  if (lines.length !== place.rowCount + 1) return undefined;
  lines.pop();
  return lines.map((line, number) => readLine(line, place.firstRow + number));
}

/** What follows a block. */
export function nextOffset(place: BlockPlace): number {
  return place.contentOffset + place.contentBytes;
}

function readLine(line: string, index: number): SpooledRow {
  const first = line.indexOf(' ');
  const second = line.indexOf(' ', first + 1);
  return {
    index,
    atMs: Number(line.slice(0, first)),
    section: readSection(line.slice(first + 1, second)),
    text: line.slice(second + 1),
  };
}

function sectionCode(section: LogSection): string {
  return section.kind === 'step' ? `${section.index}.${section.stage}` : section.kind;
}

function readSection(code: string): LogSection {
  const [, index, stage] = /^(-?\d+)\.(pre|main|post)$/.exec(code) ?? [];
  // The pattern lets no other stage through.
  if (index !== undefined) return { kind: 'step', index: Number(index), stage: stage as 'pre' | 'main' | 'post' };
  return { kind: code === 'complete' ? 'complete' : 'set-up' };
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(buffer, filled, length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return buffer.subarray(0, filled);
}
