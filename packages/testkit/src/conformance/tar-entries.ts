/** One entry of an archive that a check writes byte by byte: honest ones and those that no archiver would write. */
export interface TarEntry {
  readonly name: string;
  /** As the format has them: `0` file, `1` hard link, `2` symlink, `3` device, `5` folder. Default: file. */
  readonly type?: '0' | '1' | '2' | '3' | '5';
  readonly mode?: number;
  readonly content?: string | Uint8Array;
  /** Where a link leads. */
  readonly link?: string;
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds since the epoch. */
  readonly mtime?: number;
}

const block = 512;

/** Writes entries as a POSIX tar stream, in the pax form where the plain one has no room. */
export async function* tarOf(entries: readonly TarEntry[]): AsyncGenerator<Uint8Array, void, undefined> {
  for (const entry of entries) yield entryBytes(entry);
  yield Buffer.alloc(2 * block);
}

function entryBytes(entry: TarEntry): Uint8Array {
  const content = Buffer.from(entry.content ?? '');
  return Buffer.concat([paxBytes(entry), header(entry, entry.name, content.length), padded(content)]);
}

/** What the plain header cannot say: long names, and those beyond ASCII. */
function paxBytes(entry: TarEntry): Buffer {
  const records: string[] = [];
  if (!isPlain(entry.name)) records.push(paxRecord('path', entry.name));
  if (entry.link !== undefined && !isPlain(entry.link)) records.push(paxRecord('linkpath', entry.link));
  if (records.length === 0) return Buffer.alloc(0);
  const content = Buffer.from(records.join(''));
  return Buffer.concat([header({ name: 'pax', mode: 0o644 }, 'pax', content.length, 'x'), padded(content)]);
}

function isPlain(text: string): boolean {
  return text.length < 100 && /^[\x20-\x7e]*$/.test(text);
}

/** The length in front counts itself. */
function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(rest);
  while (String(length).length + Buffer.byteLength(rest) !== length) {
    length = String(length).length + Buffer.byteLength(rest);
  }
  return `${length}${rest}`;
}

function header(entry: TarEntry, name: string, size: number, type: string = entry.type ?? '0'): Buffer {
  const bytes = Buffer.alloc(block);
  bytes.write(name.slice(0, 99), 0, 'latin1');
  octal(bytes, 100, 8, entry.mode ?? (type === '5' ? 0o755 : 0o644));
  octal(bytes, 108, 8, entry.uid ?? 0);
  octal(bytes, 116, 8, entry.gid ?? 0);
  octal(bytes, 124, 12, size);
  octal(bytes, 136, 12, entry.mtime ?? 1_600_000_000);
  bytes.write(' '.repeat(8), 148, 'latin1');
  bytes.write(type, 156, 'latin1');
  bytes.write((entry.link ?? '').slice(0, 99), 157, 'latin1');
  bytes.write('ustar\u000000', 257, 'latin1');
  // As a device it is /dev/null, which only those may make whom the machine trusts.
  octal(bytes, 329, 8, 1);
  octal(bytes, 337, 8, 3);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return bytes;
}

function octal(bytes: Buffer, at: number, width: number, value: number): void {
  bytes.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1');
}

function padded(content: Buffer): Buffer {
  const rest = content.length % block;
  return rest === 0 ? content : Buffer.concat([content, Buffer.alloc(block - rest)]);
}
