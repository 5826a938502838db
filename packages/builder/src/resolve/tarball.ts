import { createReadStream } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { UserError } from '../user-error.ts';
import { type PackageJson, parsePackageJson } from './package-json.ts';

const blockBytes = 512;
const limitBytes = 512 << 20;

/**
 * Reads the package.json out of a packed package, without unpacking anything.
 *
 * @throws UserError `FRB202` when it is not a packed package.
 */
export async function readTarball(file: string): Promise<PackageJson> {
  let text: string | undefined;
  try {
    text = await findPackageJson(file);
  } catch (cause) {
    throw new UserError('FRB202', `expected a packed package at ${file}, but it cannot be read as .tar.gz`, {
      where: file,
      cause,
    });
  }
  if (text === undefined)
    throw new UserError('FRB202', `expected a package.json in ${file}, found none`, { where: file });
  return parsePackageJson(text, file);
}

/** npm packs everything below one folder, whatever its name. */
async function findPackageJson(file: string): Promise<string | undefined> {
  let pending = Buffer.alloc(0);
  let skipBytes = 0;
  let seen = 0;
  const source = createReadStream(file);
  const stream = source.pipe(createGunzip());
  source.on('error', (error) => stream.destroy(error));
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    seen += chunk.length;
    if (seen > limitBytes) throw new Error('too large');
    pending = Buffer.concat([pending, chunk]);
    for (;;) {
      const skipped = Math.min(skipBytes, pending.length);
      pending = pending.subarray(skipped);
      skipBytes -= skipped;
      if (pending.length < blockBytes) break;
      const header = readHeader(pending);
      if (header === undefined) return undefined;
      const isWanted = /^[^/]+\/package\.json$/.test(header.name) && header.size < 16 << 20;
      if (isWanted && pending.length < blockBytes + header.size) break;
      if (isWanted) return pending.subarray(blockBytes, blockBytes + header.size).toString('utf8');
      skipBytes = blockBytes + Math.ceil(header.size / blockBytes) * blockBytes;
    }
  }
  return undefined;
}

function readHeader(block: Buffer): { readonly name: string; readonly size: number } | undefined {
  const text = (start: number, length: number): string => {
    const field = block.toString('utf8', start, start + length);
    const end = field.indexOf('\0');
    return end === -1 ? field : field.slice(0, end);
  };
  const name = text(0, 100);
  if (name === '') return undefined;
  const size = Number.parseInt(text(124, 12).trim(), 8);
  if (!Number.isSafeInteger(size) || size < 0) throw new Error('not a tar header');
  return { name, size };
}
