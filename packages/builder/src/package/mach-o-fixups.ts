/** Chained fixups: <mach-o/fixup-chains.h>. */

const field = { starts: 4, imports: 8, symbols: 12 } as const;
// Eight and not four: what follows is aligned to that.
const addedBytes = 8;

/**
 * Fixups in which another segment, without fixups of its own, comes at an index. dyld compares how many segments they know
 * with how many there are.
 */
export function withSegmentAdded(fixups: Buffer, index: number): Buffer {
  const starts = fixups.readUInt32LE(field.starts);
  const count = fixups.readUInt32LE(starts);
  const entries = starts + 4;
  const grown = Buffer.concat([
    fixups.subarray(0, entries + count * 4),
    Buffer.alloc(addedBytes),
    fixups.subarray(entries + count * 4),
  ]);
  const before = Array.from({ length: count }, (_, at) => fixups.readUInt32LE(entries + at * 4));
  const offsets = before.map((offset) => (offset === 0 ? 0 : offset + addedBytes));
  for (const [at, offset] of offsets.toSpliced(index, 0, 0).entries()) grown.writeUInt32LE(offset, entries + at * 4);
  grown.writeUInt32LE(count + 1, starts);
  for (const at of [field.imports, field.symbols]) {
    const offset = fixups.readUInt32LE(at);
    if (offset > starts) grown.writeUInt32LE(offset + addedBytes, at);
  }
  return grown;
}
