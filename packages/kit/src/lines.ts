/** A line of text, or a piece of one that is longer than the limit. */
export interface Line {
  /** Without its line end. Bytes that are not UTF-8 stand there as U+FFFD. */
  readonly text: string;
  /** The next piece belongs to the same line. */
  readonly isContinued: boolean;
}

const newline = 0x0a;
const carriageReturn = 0x0d;

/**
 * Cuts bytes into lines, as they come. A line ends with `\n`; a `\r` before it is cut. What is longer than `limitBytes`
 * comes in pieces of at most that many bytes, cut between characters, so that at most one piece is ever held.
 *
 * ```ts
 * const splitter = new LineSplitter({ limitBytes: 64 * 1024 });
 * for await (const chunk of output) for (const line of splitter.push(chunk)) print(line.text);
 * for (const line of splitter.end()) print(line.text);
 * ```
 */
export class LineSplitter {
  readonly #limitBytes: number;
  #held: Buffer = Buffer.alloc(0);
  #heldBytes = 0;

  constructor(options: { readonly limitBytes: number }) {
    // A character takes up to four bytes; a smaller limit could not cut between characters.
    if (!(options.limitBytes >= 4)) throw new RangeError(`expected a limit of at least 4 bytes`);
    this.#limitBytes = Math.floor(options.limitBytes);
  }

  /** Takes bytes and gives the lines that they complete. */
  push(chunk: Uint8Array): Line[] {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const lines: Line[] = [];
    let start = 0;
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
      if (this.#heldBytes === 0 && end - start <= this.#limitBytes) lines.push(lineOf(bytes, start, end));
      else {
        this.#hold(bytes.subarray(start, end), lines);
        this.#release(lines);
      }
      start = end + 1;
    }
    this.#hold(bytes.subarray(start), lines);
    return lines;
  }

  /** Gives what is left without a line end. The splitter is empty afterwards. */
  end(): Line[] {
    const lines: Line[] = [];
    if (this.#heldBytes > 0) this.#release(lines);
    return lines;
  }

  #hold(bytes: Buffer, lines: Line[]): void {
    let from = 0;
    while (from < bytes.length) {
      // One byte more than a piece has, because that byte may be the `\r` of the line's end.
      const room = this.#limitBytes + 1 - this.#heldBytes;
      const part = bytes.subarray(from, from + room);
      this.#grow(part.length);
      part.copy(this.#held, this.#heldBytes);
      this.#heldBytes += part.length;
      from += part.length;
      if (from < bytes.length) this.#cutPiece(lines);
    }
  }

  #grow(bytes: number): void {
    const needed = this.#heldBytes + bytes;
    if (needed <= this.#held.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.min(Math.max(needed, this.#held.length * 2), this.#limitBytes + 1));
    this.#held.copy(grown, 0, 0, this.#heldBytes);
    this.#held = grown;
  }

  #cutPiece(lines: Line[]): void {
    const cut = characterBoundary(this.#held, this.#limitBytes);
    lines.push({ text: this.#held.toString('utf8', 0, cut), isContinued: true });
    this.#held.copyWithin(0, cut, this.#heldBytes);
    this.#heldBytes -= cut;
  }

  #release(lines: Line[]): void {
    const endsWithReturn = this.#held[this.#heldBytes - 1] === carriageReturn;
    if (this.#heldBytes - (endsWithReturn ? 1 : 0) > this.#limitBytes) this.#cutPiece(lines);
    lines.push(lineOf(this.#held, 0, this.#heldBytes));
    this.#heldBytes = 0;
  }
}

function lineOf(bytes: Buffer, start: number, end: number): Line {
  const trimmed = end > start && bytes[end - 1] === carriageReturn ? end - 1 : end;
  return { text: bytes.toString('utf8', start, trimmed), isContinued: false };
}

/** The last place at or before `limit` that is not inside a character; `limit` itself where the bytes are no UTF-8. */
function characterBoundary(bytes: Buffer, limit: number): number {
  for (let at = limit; at > limit - 4; at--) {
    const isContinuation = ((bytes[at] ?? 0) & 0xc0) === 0x80;
    if (!isContinuation) return at;
  }
  return limit;
}
