import { withSegmentAdded } from './mach-o-fixups.ts';
import { adHocSignature, signatureBytes } from './mach-o-signature.ts';

/**
 * Mach-O, 64 bits: <mach-o/loader.h>. Node looks for its application in a section of its own segment.
 */

const headerBytes = 32;
const command = {
  segment: 0x19,
  symbols: 0x02,
  dynamicSymbols: 0x0b,
  codeSignature: 0x1d,
  chainedFixups: 0x80000034,
} as const;
// Commands of the form "offset, size" into the last segment: signature, function starts, data in code, exports, fixups.
const linkEditCommands = [0x1d, 0x1e, 0x26, 0x29, 0x2b, 0x2e, 0x80000033, 0x80000034];
// Dyld information: five pairs of offset and size.
const dyldInfoCommands = [0x22, 0x80000022];
const pageBytes = 0x4000;
const segmentBytes = 72;
const sectionBytes = 80;

interface Command {
  readonly type: number;
  readonly at: number;
  readonly bytes: number;
}

/**
 * A Mach-O program with a section added, and signed ad hoc: Macs with Apple silicon start nothing that is unsigned. The
 * signature that Node came with does not fit any more.
 */
export function injectMachO(
  binary: Buffer,
  { segment, section, identifier }: { readonly segment: string; readonly section: string; readonly identifier: string },
  content: Buffer,
): readonly Buffer[] {
  const commands = readCommands(binary);
  const linkEdit = segmentNamed(binary, commands, '__LINKEDIT');
  const text = segmentNamed(binary, commands, '__TEXT');
  const signature = commands.find((one) => one.type === command.codeSignature);
  if (signature === undefined) throw new Error('expected a signed program, as those of Node are');
  const from = longAt(binary, linkEdit.at + 40);
  const address = longAt(binary, linkEdit.at + 24);
  const room = align(content.length, pageBytes);
  const fixups = withFixups(binary, commands, linkEdit);
  const moves: Moves = { from, by: room, behind: fixups.behind, grownBy: fixups.grownBy };

  const head = Buffer.from(binary.subarray(0, from));
  const added = segmentCommand(segment, section, { address, offset: from, bytes: content.length, room });
  insertCommand(head, commands, linkEdit, added);
  const moved = readCommands(head);
  for (const one of moved) shift(head, one, moves);
  const linkEditBytes = align(fixups.linkEdit.length, 16);
  const signatureAt = from + room + linkEditBytes;
  const signatureSize = signatureBytes(signatureAt, identifier);
  const end = segmentNamed(head, moved, '__LINKEDIT');
  const endBytes = linkEditBytes + signatureSize;
  for (const [offset, value] of [
    [24, address + room],
    [32, align(endBytes, pageBytes)],
    [40, from + room],
    [48, endBytes],
  ] as const) {
    head.writeBigUInt64LE(BigInt(value), end.at + offset);
  }
  const signing = moved.find((one) => one.type === command.codeSignature) ?? signature;
  head.writeUInt32LE(signatureAt, signing.at + 8);
  head.writeUInt32LE(signatureSize, signing.at + 12);

  const parts = [head, content, Buffer.alloc(room - content.length), fixups.linkEdit];
  parts.push(Buffer.alloc(linkEditBytes - fixups.linkEdit.length));
  return [...parts, adHocSignature(parts, identifier, longAt(binary, text.at + 48))];
}

function segmentCommand(
  segment: string,
  section: string,
  place: { readonly address: number; readonly offset: number; readonly bytes: number; readonly room: number },
): Buffer {
  const added = Buffer.alloc(segmentBytes + sectionBytes);
  added.writeUInt32LE(command.segment, 0);
  added.writeUInt32LE(added.length, 4);
  added.write(segment, 8, 16, 'latin1');
  for (const [index, value] of [place.address, place.room, place.offset, place.room].entries()) {
    added.writeBigUInt64LE(BigInt(value), 24 + index * 8);
  }
  // Readable, and nothing else.
  added.writeUInt32LE(1, 56);
  added.writeUInt32LE(1, 60);
  added.writeUInt32LE(1, 64);
  added.write(section, segmentBytes, 16, 'latin1');
  added.write(segment, segmentBytes + 16, 16, 'latin1');
  added.writeBigUInt64LE(BigInt(place.address), segmentBytes + 32);
  added.writeBigUInt64LE(BigInt(place.bytes), segmentBytes + 40);
  added.writeUInt32LE(place.offset, segmentBytes + 48);
  return added;
}

/** Before another command, in the room that linkers leave behind the last one. */
function insertCommand(head: Buffer, commands: readonly Command[], before: Command, added: Buffer): void {
  const end = headerBytes + head.readUInt32LE(20);
  const firstContent = Math.min(
    ...commands.filter((one) => one.type === command.segment).flatMap((one) => sectionOffsets(head, one)),
  );
  if (end + added.length > firstContent) throw new Error('no room for another load command');
  head.copyWithin(before.at + added.length, before.at, end);
  added.copy(head, before.at);
  head.writeUInt32LE(head.readUInt32LE(16) + 1, 16);
  head.writeUInt32LE(head.readUInt32LE(20) + added.length, 20);
}

/** What is from here on moves; what is behind the fixups also by what these grew. */
interface Moves {
  readonly from: number;
  readonly by: number;
  readonly behind: number;
  readonly grownBy: number;
}

/** File offsets in a command that point to what moved. */
function shift(head: Buffer, { type, at }: Command, { from, by, behind, grownBy }: Moves): void {
  for (const field of offsetFields(type)) {
    const offset = head.readUInt32LE(at + field);
    if (offset >= from) head.writeUInt32LE(offset + by + (offset > behind ? grownBy : 0), at + field);
  }
  if (type === command.chainedFixups) head.writeUInt32LE(head.readUInt32LE(at + 12) + grownBy, at + 12);
}

/** The last segment without its signature, with fixups that know of another segment before it. */
function withFixups(
  binary: Buffer,
  commands: readonly Command[],
  linkEdit: Command,
): { readonly linkEdit: Buffer; readonly behind: number; readonly grownBy: number } {
  const from = longAt(binary, linkEdit.at + 40);
  const content = binary.subarray(from, contentEnd(binary, commands));
  const fixups = commands.find((one) => one.type === command.chainedFixups);
  if (fixups === undefined) return { linkEdit: content, behind: Number.POSITIVE_INFINITY, grownBy: 0 };
  const offset = binary.readUInt32LE(fixups.at + 8);
  const [start, end] = [offset - from, offset - from + binary.readUInt32LE(fixups.at + 12)];
  const index = commands.filter((one) => one.type === command.segment).indexOf(linkEdit);
  const grown = withSegmentAdded(content.subarray(start, end), index);
  const whole = Buffer.concat([content.subarray(0, start), grown, content.subarray(end)]);
  return { linkEdit: whole, behind: offset, grownBy: whole.length - content.length };
}

/** Where the texts of symbols end, which are last; behind them is what aligned the signature. */
function contentEnd(binary: Buffer, commands: readonly Command[]): number {
  const symbols = commands.find((one) => one.type === command.symbols);
  if (symbols === undefined) throw new Error('expected a program with symbols');
  return binary.readUInt32LE(symbols.at + 16) + binary.readUInt32LE(symbols.at + 20);
}

function offsetFields(type: number): readonly number[] {
  if (linkEditCommands.includes(type)) return [8];
  if (dyldInfoCommands.includes(type)) return [8, 16, 24, 32, 40];
  if (type === command.symbols) return [8, 16];
  if (type === command.dynamicSymbols) return [32, 40, 48, 56, 64, 72];
  return [];
}

function sectionOffsets(binary: Buffer, { at }: Command): readonly number[] {
  const count = binary.readUInt32LE(at + 64);
  return Array.from({ length: count }, (_, index) =>
    binary.readUInt32LE(at + segmentBytes + index * sectionBytes + 48),
  ).filter((offset) => offset > 0);
}

function segmentNamed(binary: Buffer, commands: readonly Command[], name: string): Command {
  const found = commands.find(
    (one) =>
      one.type === command.segment && binary.toString('latin1', one.at + 8, one.at + 24).replace(/\0.*$/s, '') === name,
  );
  if (found === undefined) throw new Error(`expected a segment ${name}`);
  return found;
}

function readCommands(binary: Buffer): readonly Command[] {
  if (binary.length < headerBytes || binary.readUInt32LE(0) !== 0xfeedfacf) {
    throw new Error('expected a 64-bit Mach-O program');
  }
  let at = headerBytes;
  return Array.from({ length: binary.readUInt32LE(16) }, () => {
    const one = { type: binary.readUInt32LE(at), at, bytes: binary.readUInt32LE(at + 4) };
    at += one.bytes;
    return one;
  });
}

function longAt(binary: Buffer, at: number): number {
  return Number(binary.readBigUInt64LE(at));
}

function align(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
