/**
 * PE32+: https://learn.microsoft.com/windows/win32/debug/pe-format. Node looks for its application among the resources.
 */

const sectionEntryBytes = 40;
const directory = { resources: 2, certificates: 4 } as const;
const rawData = 10;
// Code page and language of a resource that has neither.
const neutral = 0;
const readableData = 0x40000040;

interface Headers {
  readonly coff: number;
  readonly optional: number;
  readonly sections: number;
  readonly count: number;
  readonly fileAlign: number;
  readonly memoryAlign: number;
}

interface Leaf {
  readonly bytes: Buffer;
  readonly codePage: number;
}

/** A level of the tree of resources: types, names, languages. A key is a number or a text. */
type Tree = ReadonlyMap<number | string, Tree | Leaf>;

/**
 * A PE program with a resource of raw data added. The tree of resources is written anew, into a new section at the end;
 * Node's Authenticode signature, which does not fit any more, is taken out.
 */
export function injectPe(binary: Buffer, name: string, content: Buffer): readonly Buffer[] {
  const headers = readHeaders(binary);
  const certificatesAt = directoryAt(headers, directory.certificates);
  const certificates = binary.readUInt32LE(certificatesAt);
  const program = Buffer.from(certificates === 0 ? binary : binary.subarray(0, certificates));
  program.writeBigUInt64LE(0n, certificatesAt);
  const tree = new Map(readTree(binary, headers));
  const named = new Map((tree.get(rawData) as Tree | undefined) ?? []);
  named.set(name, new Map([[neutral, { bytes: content, codePage: 0 }]]));
  tree.set(rawData, named);

  const table = headers.sections + headers.count * sectionEntryBytes;
  const firstContent = Math.min(...sectionsOf(binary, headers).map((one) => one.offset));
  if (table + sectionEntryBytes > firstContent) throw new Error('no room for another section');
  const address = align(Math.max(...sectionsOf(binary, headers).map((one) => one.end)), headers.memoryAlign);
  const offset = align(program.length, headers.fileAlign);
  const resources = writeTree(tree, address);
  const size = resources.reduce((sum, part) => sum + part.length, 0);
  const padded = align(size, headers.fileAlign);
  program.write('.nodesea', table, 8, 'latin1');
  for (const [index, value] of [size, address, padded, offset].entries()) {
    program.writeUInt32LE(value, table + 8 + index * 4);
  }
  program.fill(0, table + 24, table + 36);
  program.writeUInt32LE(readableData, table + 36);
  program.writeUInt16LE(headers.count + 1, headers.coff + 2);
  program.writeUInt32LE(address, directoryAt(headers, directory.resources));
  program.writeUInt32LE(size, directoryAt(headers, directory.resources) + 4);
  // Initialized data and image grow; the checksum is that of drivers, nobody else looks at it.
  program.writeUInt32LE(program.readUInt32LE(headers.optional + 8) + padded, headers.optional + 8);
  program.writeUInt32LE(align(address + size, headers.memoryAlign), headers.optional + 56);
  program.writeUInt32LE(0, headers.optional + 64);
  return [program, Buffer.alloc(offset - program.length), ...resources, Buffer.alloc(padded - size)];
}

function readHeaders(binary: Buffer): Headers {
  const coff = binary.length > 64 ? binary.readUInt32LE(60) + 4 : 0;
  const isPe = coff > 4 && binary.readUInt16BE(0) === 0x4d5a && binary.readUInt32BE(coff - 4) === 0x50450000;
  const optional = coff + 20;
  if (!isPe || binary.readUInt16LE(optional) !== 0x20b) throw new Error('expected a 64-bit PE program');
  return {
    coff,
    optional,
    sections: optional + binary.readUInt16LE(coff + 16),
    count: binary.readUInt16LE(coff + 2),
    memoryAlign: binary.readUInt32LE(optional + 32),
    fileAlign: binary.readUInt32LE(optional + 36),
  };
}

function directoryAt({ optional }: Headers, index: number): number {
  return optional + 112 + index * 8;
}

function sectionsOf(
  binary: Buffer,
  { sections, count }: Headers,
): readonly { readonly address: number; readonly end: number; readonly offset: number }[] {
  return Array.from({ length: count }, (_, index) => {
    const at = sections + index * sectionEntryBytes;
    const address = binary.readUInt32LE(at + 12);
    const bytes = Math.max(binary.readUInt32LE(at + 8), binary.readUInt32LE(at + 16));
    return { address, end: address + bytes, offset: binary.readUInt32LE(at + 20) };
  });
}

function readTree(binary: Buffer, headers: Headers): Tree {
  const address = binary.readUInt32LE(directoryAt(headers, directory.resources));
  if (address === 0) return new Map();
  const offsetOf = (wanted: number): number => {
    const section = sectionsOf(binary, headers).find((one) => wanted >= one.address && wanted < one.end);
    if (section === undefined) throw new Error('a resource outside of all sections');
    return wanted - section.address + section.offset;
  };
  const root = offsetOf(address);
  const readAt = (at: number): Tree => {
    const count = binary.readUInt16LE(at + 12) + binary.readUInt16LE(at + 14);
    return new Map(
      Array.from({ length: count }, (_, index) => {
        const entry = at + 16 + index * 8;
        const value = binary.readUInt32LE(entry + 4);
        const isDeeper = value >= 0x80000000;
        return [
          keyAt(binary.readUInt32LE(entry)),
          isDeeper ? readAt(root + value - 0x80000000) : leafAt(root + value),
        ] as const;
      }),
    );
  };
  const keyAt = (value: number): number | string => {
    if (value < 0x80000000) return value;
    const at = root + value - 0x80000000;
    return binary.toString('utf16le', at + 2, at + 2 + binary.readUInt16LE(at) * 2);
  };
  const leafAt = (at: number): Leaf => {
    const start = offsetOf(binary.readUInt32LE(at));
    const bytes = binary.subarray(start, start + binary.readUInt32LE(at + 4));
    return { bytes, codePage: binary.readUInt32LE(at + 8) };
  };
  return readAt(root);
}

/** Tables first, then their leaves, their texts, and the contents. */
function writeTree(tree: Tree, address: number): readonly Buffer[] {
  const tables: Tree[] = [];
  const leaves: Leaf[] = [];
  const texts = new Map<string, number>();
  const visit = (one: Tree): void => {
    tables.push(one);
    for (const [key, value] of sorted(one)) {
      if (typeof key === 'string') texts.set(key, 0);
      if (value instanceof Map) visit(value);
      else leaves.push(value as Leaf);
    }
  };
  visit(tree);
  const tableAt = new Map<Tree, number>();
  let at = 0;
  for (const one of tables) {
    tableAt.set(one, at);
    at += 16 + one.size * 8;
  }
  const leafAt = new Map(leaves.map((leaf, index) => [leaf, at + index * 16]));
  at += leaves.length * 16;
  for (const text of texts.keys()) {
    texts.set(text, at);
    at += 2 + text.length * 2;
  }
  const head = Buffer.alloc(align(at, 16));
  const parts: Buffer[] = [head];
  at = head.length;
  for (const [leaf, entry] of leafAt) {
    head.writeUInt32LE(address + at, entry);
    head.writeUInt32LE(leaf.bytes.length, entry + 4);
    head.writeUInt32LE(leaf.codePage, entry + 8);
    parts.push(leaf.bytes, Buffer.alloc(align(leaf.bytes.length, 16) - leaf.bytes.length));
    at += align(leaf.bytes.length, 16);
  }
  for (const [text, place] of texts) {
    head.writeUInt16LE(text.length, place);
    head.write(text, place + 2, 'utf16le');
  }
  for (const [one, place] of tableAt) {
    const names = [...one.keys()].filter((key) => typeof key === 'string').length;
    head.writeUInt16LE(names, place + 12);
    head.writeUInt16LE(one.size - names, place + 14);
    for (const [index, [key, value]] of sorted(one).entries()) {
      const entry = place + 16 + index * 8;
      head.writeUInt32LE(typeof key === 'string' ? 0x80000000 + (texts.get(key) ?? 0) : key, entry);
      const deeper = value instanceof Map ? tableAt.get(value) : undefined;
      head.writeUInt32LE(deeper === undefined ? (leafAt.get(value as Leaf) ?? 0) : 0x80000000 + deeper, entry + 4);
    }
  }
  return parts;
}

/** Texts before numbers, both ascending: Windows searches by halves. */
function sorted(one: Tree): readonly (readonly [number | string, Tree | Leaf])[] {
  return [...one].toSorted(([a], [b]) => {
    if (typeof a !== typeof b) return typeof a === 'string' ? -1 : 1;
    return a < b ? -1 : 1;
  });
}

function align(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
