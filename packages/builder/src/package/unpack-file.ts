import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';

/** One file out of a .tar.gz, into memory. Nothing is written. */
export async function unpackFile(tarball: string, name: string): Promise<Buffer> {
  const archive = extract();
  const unpacking = pipeline(createReadStream(tarball), createGunzip(), archive);
  // Whoever stops reading early ends it.
  unpacking.catch(() => undefined);
  for await (const entry of archive) {
    if (entry.header.name === name && entry.header.type === 'file') {
      const chunks: Buffer[] = [];
      for await (const chunk of entry) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks);
    }
    entry.resume();
  }
  await unpacking;
  throw new Error(`no ${name} in ${tarball}`);
}
