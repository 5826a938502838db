const block = 512;

/** Counts the bytes of files in a tar stream as it passes by, and tells whether it ended between two entries. */
export class ContentCount {
  #header = Buffer.alloc(0);
  /** Bytes of content and padding of the entry that are still to come. */
  #left = 0;
  #total = 0;
  #size: number | undefined;
  #isOver = false;

  get isWhole(): boolean {
    return this.#isOver || (this.#left === 0 && this.#header.length === 0);
  }

  /** The bytes of files so far, of the entry that has begun all of them. */
  add(chunk: Uint8Array): number {
    let rest = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    while (rest.length > 0 && !this.#isOver) {
      if (this.#left > 0) {
        const passed = Math.min(this.#left, rest.length);
        if (this.#header.length > 0) this.#header = Buffer.concat([this.#header, rest.subarray(0, passed)]);
        this.#left -= passed;
        rest = rest.subarray(passed);
        if (this.#left === 0 && this.#header.length > 0) this.#readPax();
        continue;
      }
      const wanted = block - this.#header.length;
      this.#header = Buffer.concat([this.#header, rest.subarray(0, wanted)]);
      rest = rest.subarray(wanted);
      if (this.#header.length === block) this.#begin();
    }
    return this.#total;
  }

  #begin(): void {
    const header = this.#header;
    this.#header = Buffer.alloc(0);
    if (header.every((byte) => byte === 0)) {
      this.#isOver = true;
      return;
    }
    const type = String.fromCharCode(header[156] ?? 0);
    const size = sizeOf(header.subarray(124, 136));
    this.#left = Math.ceil(size / block) * block;
    if (type === 'x') {
      // Its content may say how large the next entry really is.
      this.#header = this.#left > 0 && this.#left <= 1024 * 1024 ? Buffer.from([0]) : Buffer.alloc(0);
      return;
    }
    if (type === 'g' || type === 'L' || type === 'K') return;
    const real = this.#size ?? size;
    this.#size = undefined;
    this.#total += real;
    this.#left = Math.ceil(real / block) * block;
  }

  #readPax(): void {
    const text = this.#header.subarray(1).toString('latin1');
    this.#header = Buffer.alloc(0);
    const found = /(?:^|\n)\d+ size=(\d+)\n/.exec(text)?.[1];
    if (found !== undefined) this.#size = Number(found);
  }
}

function sizeOf(field: Buffer): number {
  // Base 256, for what octal digits cannot say.
  if (((field[0] ?? 0) & 0x80) !== 0)
    return Number(field.subarray(4).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n));
  const digits = /^[0-7]+/.exec(field.toString('latin1').trim())?.[0] ?? '0';
  return Number.parseInt(digits, 8);
}
