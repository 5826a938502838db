import { Buffer } from 'node:buffer';
import { LineSplitter, type Line } from '@forgejo-runner/kit';
import type { Masker, MaskStream } from './masker.ts';
import { type CommandState, mayBeCommand } from './workflow-commands.ts';

/** Forgejo cuts rows at 64 KiB and drops the rest, so we cut first and mark it. */
const rowLimitBytes = 64 * 1024;
/** Stands where a row was cut: at its end, and at the beginning of the next. */
const cutMark = '…';
const roomBytes = rowLimitBytes - 2 * Buffer.byteLength(cutMark);
/** Characters of a command's line; a longer one is dropped as a whole, because it may hold a secret to mask. */
const commandLimit = 4 * 1024 * 1024;

/** What a stream of a process comes to. */
export type OutputPart =
  /** A whole line, not masked. */
  | { readonly kind: 'line'; readonly text: string }
  /** Rows of a line that is longer than a row, masked. */
  | { readonly kind: 'rows'; readonly texts: readonly string[] }
  /** A command that was too long to read. */
  | { readonly kind: 'dropped' };

/** A text in rows of at most 64 KiB of UTF-8. Where it was cut stands `…` on both sides. The text is masked already. */
export function rowsOf(masked: string): readonly string[] {
  if (masked.length * 3 <= rowLimitBytes || Buffer.byteLength(masked) <= rowLimitBytes) return [masked];
  const cutter = new RowCutter();
  return [...cutter.push(masked), ...cutter.end()];
}

/** Cuts one long line into rows as it comes. */
class RowCutter {
  #held: Buffer = Buffer.alloc(0);
  #isFirst = true;

  push(masked: string): string[] {
    this.#held = Buffer.concat([this.#held, Buffer.from(masked)]);
    const rows: string[] = [];
    while (this.#held.length > roomBytes) {
      const end = boundary(this.#held, roomBytes);
      rows.push(this.#row(this.#held.toString('utf8', 0, end)) + cutMark);
      this.#held = this.#held.subarray(end);
    }
    return rows;
  }

  end(): string[] {
    const rest = this.#held.toString('utf8');
    return rest === '' && !this.#isFirst ? [] : [this.#row(rest)];
  }

  #row(text: string): string {
    const row = this.#isFirst ? text : cutMark + text;
    this.#isFirst = false;
    return row;
  }
}

/** The bytes are UTF-8 that we encoded, so a boundary is at most three bytes away. */
function boundary(bytes: Buffer, limit: number): number {
  let end = limit;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return end;
}

type Long =
  | { readonly kind: 'text'; readonly stream: MaskStream; readonly cutter: RowCutter }
  | { readonly kind: 'command'; readonly pieces: string[]; characters: number }
  | { readonly kind: 'dropped' };

/** One stream of a process, from bytes to lines. Holds at most a row, or a command up to its limit. */
export class OutputReader {
  readonly #splitter = new LineSplitter({ limitBytes: rowLimitBytes });
  readonly #masker: Masker;
  #long: Long | undefined;

  constructor(masker: Masker) {
    this.#masker = masker;
  }

  push(chunk: Uint8Array): readonly Line[] {
    return this.#splitter.push(chunk);
  }

  end(): readonly Line[] {
    return this.#splitter.end();
  }

  /** What to do with a line or a piece of one. Pieces of a long line are masked on the way. */
  take(line: Line, state: CommandState): OutputPart | undefined {
    if (this.#long === undefined) {
      if (!line.isContinued) return { kind: 'line', text: withoutReturns(line.text) };
      this.#long = mayBeCommand(line.text, state)
        ? { kind: 'command', pieces: [], characters: 0 }
        : { kind: 'text', stream: this.#masker.stream(), cutter: new RowCutter() };
    }
    const long = this.#long;
    if (!line.isContinued) this.#long = undefined;
    if (long.kind === 'text') return { kind: 'rows', texts: takeText(long, line) };
    if (long.kind === 'command') return this.#takeCommand(long, line);
    return line.isContinued ? undefined : { kind: 'dropped' };
  }

  #takeCommand(long: Extract<Long, { kind: 'command' }>, line: Line): OutputPart | undefined {
    long.pieces.push(line.text);
    long.characters += line.text.length;
    if (long.characters > commandLimit) {
      if (!line.isContinued) return { kind: 'dropped' };
      this.#long = { kind: 'dropped' };
      return undefined;
    }
    return line.isContinued ? undefined : { kind: 'line', text: withoutReturns(long.pieces.join('')) };
  }
}

function takeText(long: Extract<Long, { kind: 'text' }>, line: Line): readonly string[] {
  if (line.isContinued) return long.cutter.push(long.stream.push(line.text));
  const rest = long.stream.push(withoutReturns(line.text)) + long.stream.end();
  return [...long.cutter.push(rest), ...long.cutter.end()];
}

/** The splitter cuts one `\r`; a terminal makes `\r\r\n` of a program's `\r\n`. */
function withoutReturns(text: string): string {
  let end = text.length;
  while (end > 0 && text.codePointAt(end - 1) === 13) end -= 1;
  return end === text.length ? text : text.slice(0, end);
}
