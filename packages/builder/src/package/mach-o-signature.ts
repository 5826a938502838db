import { createHash } from 'node:crypto';

/**
 * A signature of nobody ("ad hoc"): hashes of all pages, in the form that Apple's and Go's linkers write. Sources:
 * xnu's osfmk/kern/cs_blobs.h and Go's cmd/internal/codesign. All numbers are big-endian.
 */

const pageBits = 12;
const hashBytes = 32;
const superBlobBytes = 20;
const directoryBytes = 88;
const sha256 = 2;
const adHoc = 0x2;
const linkerSigned = 0x20000;
const mainBinary = 1n;
// The version of the directory that has the executable segment.
const directoryVersion = 0x20400;

/** How long the signature of so many bytes is. */
export function signatureBytes(codeBytes: number, identifier: string): number {
  const slots = Math.ceil(codeBytes / (1 << pageBits));
  return superBlobBytes + directoryBytes + Buffer.byteLength(identifier) + 1 + slots * hashBytes;
}

/** Signs what is before it in the file. `textBytes`: length of the segment with the code, which is the first. */
export function adHocSignature(code: readonly Buffer[], identifier: string, textBytes: number): Buffer {
  const codeBytes = code.reduce((sum, part) => sum + part.length, 0);
  const signature = Buffer.alloc(signatureBytes(codeBytes, identifier));
  const hashesAt = directoryBytes + Buffer.byteLength(identifier) + 1;
  const slots = Math.ceil(codeBytes / (1 << pageBits));
  writeWords(signature, 0, [0xfade0cc0, signature.length, 1, 0, superBlobBytes]);
  const directory = signature.subarray(superBlobBytes);
  writeWords(directory, 0, [0xfade0c02, directory.length, directoryVersion, adHoc | linkerSigned]);
  writeWords(directory, 16, [hashesAt, directoryBytes, 0, slots, codeBytes]);
  directory.set([hashBytes, sha256, 0, pageBits], 36);
  directory.writeBigUInt64BE(BigInt(textBytes), 72);
  directory.writeBigUInt64BE(mainBinary, 80);
  directory.write(identifier, directoryBytes);
  for (const [index, hash] of pageHashes(code).entries()) hash.copy(directory, hashesAt + index * hashBytes);
  return signature;
}

function writeWords(target: Buffer, at: number, words: readonly number[]): void {
  for (const [index, word] of words.entries()) target.writeUInt32BE(word, at + index * 4);
}

function pageHashes(code: readonly Buffer[]): readonly Buffer[] {
  const pageBytes = 1 << pageBits;
  const hashes: Buffer[] = [];
  let pending: Buffer = Buffer.alloc(0);
  for (const part of code) {
    const bytes = pending.length === 0 ? part : Buffer.concat([pending, part]);
    let at = 0;
    for (; at + pageBytes <= bytes.length; at += pageBytes) hashes.push(hashOf(bytes.subarray(at, at + pageBytes)));
    pending = bytes.subarray(at);
  }
  if (pending.length > 0) hashes.push(hashOf(pending));
  return hashes;
}

function hashOf(page: Buffer): Buffer {
  return createHash('sha256').update(page).digest();
}
