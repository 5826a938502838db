import { createHash } from 'node:crypto';

/** What a test wants to know of an executable, read by nobody's code but this. */
export interface ReadExecutable {
  readonly format: 'ELF' | 'Mach-O' | 'PE';
  /** The number that the format gives the processor. */
  readonly machine: number;
  /** What Node will find in it. */
  readonly application: Buffer;
  /** `valid` when the hash of every page is right. */
  readonly signature: 'none' | 'valid' | 'wrong';
}

/** Reads headers the way the loaders of the three systems do. */
export function readExecutable(file: Buffer): ReadExecutable {
  if (file.toString('latin1', 0, 4) === '\x7fELF') return readElf(file);
  if (file.readUInt32LE(0) === 0xfeedfacf) return readMachO(file);
  if (file.toString('latin1', 0, 2) === 'MZ') return readPe(file);
  throw new Error('no executable');
}

function readElf(file: Buffer): ReadExecutable {
  const table = Number(file.readBigUInt64LE(32));
  const notes = Array.from({ length: file.readUInt16LE(56) }, (_, index) => table + index * 56)
    .filter((at) => file.readUInt32LE(at) === 4)
    .map((at) => Number(file.readBigUInt64LE(at + 8)));
  for (const at of notes) {
    const nameBytes = file.readUInt32LE(at);
    const start = at + 12 + Math.ceil(nameBytes / 4) * 4;
    if (file.toString('latin1', at + 12, at + 12 + nameBytes) !== 'NODE_SEA_BLOB\0') continue;
    const application = file.subarray(start, start + file.readUInt32LE(at + 4));
    return { format: 'ELF', machine: file.readUInt16LE(18), application, signature: 'none' };
  }
  throw new Error('no note');
}

function readMachO(file: Buffer): ReadExecutable {
  const segments: { name: string; fileAt: number; fileBytes: number; address: number; bytes: number }[] = [];
  let application: Buffer = Buffer.alloc(0);
  let signatureAt = 0;
  let at = 32;
  for (let index = 0; index < file.readUInt32LE(16); index += 1) {
    const long = (offset: number): number => Number(file.readBigUInt64LE(at + offset));
    const text = (offset: number): string => file.toString('latin1', offset, offset + 16).replaceAll('\0', '');
    if (file.readUInt32LE(at) === 0x19) {
      segments.push({ name: text(at + 8), address: long(24), bytes: long(32), fileAt: long(40), fileBytes: long(48) });
      for (let section = 0; section < file.readUInt32LE(at + 64); section += 1) {
        const place = at + 72 + section * 80;
        if (text(place) !== '__NODE_SEA_BLOB' || text(place + 16) !== 'NODE_SEA') continue;
        const start = file.readUInt32LE(place + 48);
        application = file.subarray(start, start + Number(file.readBigUInt64LE(place + 40)));
      }
    }
    if (file.readUInt32LE(at) === 0x1d) signatureAt = file.readUInt32LE(at + 8);
    at += file.readUInt32LE(at + 4);
  }
  if (segments.at(-1)?.name !== '__LINKEDIT') throw new Error('the segment of links is not last');
  for (const [index, one] of segments.entries()) {
    const next = segments[index + 1];
    if (next !== undefined && one.address + one.bytes !== next.address) throw new Error(`a gap behind ${one.name}`);
    if (one.fileAt + one.fileBytes > file.length) throw new Error(`${one.name} ends behind the file`);
  }
  return { format: 'Mach-O', machine: file.readUInt32LE(4), application, signature: checkPages(file, signatureAt) };
}

function checkPages(file: Buffer, at: number): ReadExecutable['signature'] {
  if (at === 0) return 'none';
  const directory = at + file.readUInt32BE(at + 16);
  const word = (offset: number): number => file.readUInt32BE(directory + offset);
  if (word(0) !== 0xfade0c02 || word(32) !== at) return 'wrong';
  const page = 1 << file.readUInt8(directory + 39);
  for (let slot = 0; slot < word(28); slot += 1) {
    const hash = createHash('sha256')
      .update(file.subarray(slot * page, Math.min((slot + 1) * page, at)))
      .digest();
    const expected = directory + word(16) + slot * 32;
    if (!hash.equals(file.subarray(expected, expected + 32))) return 'wrong';
  }
  return word(28) === Math.ceil(at / page) ? 'valid' : 'wrong';
}

function readPe(file: Buffer): ReadExecutable {
  const coff = file.readUInt32LE(60) + 4;
  const optional = coff + 20;
  const sections = optional + file.readUInt16LE(coff + 16);
  const fileAt = (address: number): number => {
    for (let index = 0; index < file.readUInt16LE(coff + 2); index += 1) {
      const at = sections + index * 40;
      const start = file.readUInt32LE(at + 12);
      if (address >= start && address < start + file.readUInt32LE(at + 16)) {
        return address - start + file.readUInt32LE(at + 20);
      }
    }
    throw new Error('an address outside of all sections');
  };
  const root = fileAt(file.readUInt32LE(optional + 128));
  const entry = (table: number, wanted: (key: number) => boolean): number => {
    const count = file.readUInt16LE(table + 12) + file.readUInt16LE(table + 14);
    for (let index = 0; index < count; index += 1) {
      if (wanted(file.readUInt32LE(table + 16 + index * 8))) return file.readUInt32LE(table + 20 + index * 8) % 2 ** 31;
    }
    throw new Error('no such resource');
  };
  const isNamed = (key: number): boolean => {
    if (key < 2 ** 31) return false;
    const at = root + (key % 2 ** 31);
    return file.toString('utf16le', at + 2, at + 2 + file.readUInt16LE(at) * 2) === 'NODE_SEA_BLOB';
  };
  const rawData = root + entry(root, (key) => key === 10);
  const languages = root + entry(rawData, isNamed);
  const leaf = root + entry(languages, () => true);
  const start = fileAt(file.readUInt32LE(leaf));
  return {
    format: 'PE',
    machine: file.readUInt16LE(coff),
    application: file.subarray(start, start + file.readUInt32LE(leaf + 4)),
    signature: file.readUInt32LE(optional + 112 + 32) === 0 ? 'none' : 'wrong',
  };
}
