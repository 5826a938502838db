const blockBytes = 512;

/** Counts the content of the files in a tar stream as it goes by, without taking it apart any further. */
export class TarContent {
  /** Content that was announced so far. */
  bytes = 0;
  readonly #header = Buffer.alloc(blockBytes);
  #has = 0;
  #skip = 0;
  #paxSize: number | undefined;
  #pax: Buffer[] | undefined;

  take(chunk: Uint8Array): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#skip > 0) {
        const taken = chunk.subarray(at, at + this.#skip);
        this.#pax?.push(Buffer.from(taken));
        this.#skip -= taken.length;
        at += taken.length;
        if (this.#skip === 0) this.#endPax();
        continue;
      }
      const taken = chunk.subarray(at, at + blockBytes - this.#has);
      this.#header.set(taken, this.#has);
      this.#has += taken.length;
      at += taken.length;
      if (this.#has < blockBytes) return;
      this.#has = 0;
      this.#read(this.#header);
    }
  }

  #read(header: Buffer): void {
    const type = String.fromCharCode(header[156] ?? 0);
    const size = sizeIn(header);
    // A pax header may hold the size of the file after it, where it is too large for the old field.
    if (type === 'x' && size <= 1024 * 1024) this.#pax = [];
    else if (!['x', 'g', 'L', 'K'].includes(type)) {
      this.bytes += this.#paxSize ?? size;
      this.#skip = padded(this.#paxSize ?? size);
      this.#paxSize = undefined;
      return;
    }
    this.#skip = padded(size);
  }

  #endPax(): void {
    if (this.#pax === undefined) return;
    const size = /(?:^|\n)\d+ size=(\d+)\n/.exec(Buffer.concat(this.#pax).toString('latin1'))?.[1];
    this.#pax = undefined;
    if (size !== undefined) this.#paxSize = Number(size);
  }
}

function padded(size: number): number {
  return Math.ceil(size / blockBytes) * blockBytes;
}

/** Octal digits, or a number in base 256 where the first bit is set. */
function sizeIn(header: Buffer): number {
  const field = header.subarray(124, 136);
  if (((field[0] ?? 0) & 0x80) === 0)
    return Number.parseInt(field.toString('latin1').replaceAll(/[^0-7]/g, '') || '0', 8);
  return field.subarray(1).reduce((sum, byte) => sum * 256 + byte, 0);
}
