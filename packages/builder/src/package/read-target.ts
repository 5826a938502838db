import { open } from 'node:fs/promises';
import type { Target } from './target.ts';

/** The platform of an executable by its header; undefined for a script. */
export async function readTarget(file: string): Promise<Target | undefined> {
  await using handle = await open(file, 'r');
  const { buffer } = await handle.read(Buffer.alloc(4096), 0, 4096, 0);
  if (buffer.readUInt32BE(0) === 0x7f454c46) return buffer.readUInt16LE(18) === 0xb7 ? 'linux-arm64' : 'linux-x64';
  if (buffer.readUInt32LE(0) === 0xfeedfacf) {
    return buffer.readUInt32LE(4) === 0x0100000c ? 'darwin-arm64' : 'darwin-x64';
  }
  return buffer.readUInt16BE(0) === 0x4d5a ? 'win-x64' : undefined;
}
