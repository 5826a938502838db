/**
 * ELF, 64 bits, little-endian: https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html and ch5.pheader.html.
 * Node looks for its application in the notes of the running program.
 */

const headerBytes = 64;
const entryBytes = 56;
const kind = { load: 1, note: 4, phdr: 6 } as const;
const readable = 4;
// The largest page of our targets: arm64 kernels may use 64 KiB.
const pageBytes = 0x10000;

interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly fileBytes: number;
  readonly memoryBytes: number;
  readonly align: number;
}

/**
 * An ELF program without symbols, debug information and the table of sections: nothing that is needed to run it, and a
 * quarter of Node. Without that table `strip` also refuses the finished executable, which it would destroy.
 */
export function stripElf(binary: Buffer): Buffer {
  const ends = readSegments(binary).map(({ offset, fileBytes }) => offset + fileBytes);
  const stripped = Buffer.from(binary.subarray(0, Math.max(...ends)));
  stripped.writeBigUInt64LE(0n, 40);
  stripped.writeUInt16LE(0, 60);
  stripped.writeUInt16LE(0, 62);
  return stripped;
}

/**
 * An ELF program with a note added. The table of segments needs room for two more, so it moves behind the program, to
 * where file offset and address differ by the same as at its beginning: Linux before 5.18 assumes that.
 */
export function injectElf(binary: Buffer, name: string, note: Buffer): readonly Buffer[] {
  const segments = readSegments(binary);
  const loads = segments.filter((one) => one.type === kind.load);
  const first = loads[0];
  if (first === undefined) throw new Error('an ELF program without segments');
  const base = first.address - first.offset;
  const memoryEnd = Math.max(...loads.map((one) => one.address + one.memoryBytes)) - base;
  const at = align(Math.max(memoryEnd, binary.length), pageBytes);
  const tableBytes = (segments.length + 2) * entryBytes;
  const noteAt = align(at + tableBytes, 16);
  const head = noteHeader(name, note.length);
  const noteBytes = head.length + align(note.length, 4);
  const whole: Segment = place(kind.load, at, noteAt + noteBytes - at, pageBytes, base);
  const added: Segment = place(kind.note, noteAt, noteBytes, 4, base);
  const last = segments.findLastIndex((one) => one.type === kind.load);
  const table = [...segments.slice(0, last + 1), whole, ...segments.slice(last + 1), added].map((one) =>
    one.type === kind.phdr ? { ...place(kind.phdr, at, tableBytes, 8, base), flags: one.flags } : one,
  );
  const program = Buffer.from(binary);
  program.writeBigUInt64LE(BigInt(at), 32);
  program.writeUInt16LE(table.length, 56);
  const gap = Buffer.alloc(at - program.length);
  const between = Buffer.alloc(noteAt - at - tableBytes);
  const rest = Buffer.alloc(noteBytes - head.length - note.length);
  return [program, gap, writeTable(table), between, head, note, rest];
}

function place(type: number, offset: number, bytes: number, alignment: number, base: number): Segment {
  const address = base + offset;
  return { type, flags: readable, offset, address, fileBytes: bytes, memoryBytes: bytes, align: alignment };
}

function readSegments(binary: Buffer): readonly Segment[] {
  const isElf = binary.length > headerBytes && binary.readUInt32BE(0) === 0x7f454c46;
  if (!isElf || binary[4] !== 2 || binary[5] !== 1) throw new Error('expected a 64-bit little-endian ELF program');
  const start = Number(binary.readBigUInt64LE(32));
  return Array.from({ length: binary.readUInt16LE(56) }, (_, index) => {
    const at = start + index * entryBytes;
    const long = (offset: number): number => Number(binary.readBigUInt64LE(at + offset));
    return {
      type: binary.readUInt32LE(at),
      flags: binary.readUInt32LE(at + 4),
      offset: long(8),
      address: long(16),
      fileBytes: long(32),
      memoryBytes: long(40),
      align: long(48),
    };
  });
}

function writeTable(segments: readonly Segment[]): Buffer {
  const table = Buffer.alloc(segments.length * entryBytes);
  for (const [index, one] of segments.entries()) {
    const at = index * entryBytes;
    table.writeUInt32LE(one.type, at);
    table.writeUInt32LE(one.flags, at + 4);
    // The physical address, which nobody uses, is the same as the address.
    const longs = [one.offset, one.address, one.address, one.fileBytes, one.memoryBytes, one.align];
    for (const [position, value] of longs.entries()) table.writeBigUInt64LE(BigInt(value), at + 8 + position * 8);
  }
  return table;
}

function noteHeader(name: string, bytes: number): Buffer {
  const text = Buffer.from(`${name}\0`);
  const header = Buffer.alloc(12 + align(text.length, 4));
  header.writeUInt32LE(text.length, 0);
  header.writeUInt32LE(bytes, 4);
  text.copy(header, 12);
  return header;
}

function align(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
