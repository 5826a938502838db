import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';
import type { ByteRange } from './byte-range.ts';

/**
 * Where a content lies in its file: start and length of each part, in the order in which they are read. Parts come in
 * any order and only the client's last word says which is first; so they stay where they were written, and nothing is
 * copied.
 */
export type Segments = readonly (readonly [start: number, length: number])[];

/** Large reads: a download is a few calls of the system, not thousands. */
const readBytes = 512 * 1024;
const turnBytes = 256 * 1024;

/** How many bytes the content has. */
export function sizeOf(segments: Segments): number {
  let size = 0;
  for (const [, length] of segments) size += length;
  return size;
}

/** The same content in as few parts as there can be. */
export function joinSegments(segments: Segments): Segments {
  const joined: [number, number][] = [];
  for (const [start, length] of segments) {
    if (length === 0) continue;
    const last = joined.at(-1);
    if (last !== undefined && last[0] + last[1] === start) last[1] += length;
    else joined.push([start, length]);
  }
  return joined;
}

/** The parts of the file that a range of the content is in. */
export function cutSegments(segments: Segments, range: ByteRange): Segments {
  const parts: [number, number][] = [];
  let at = 0;
  for (const [start, length] of segments) {
    const from = Math.max(range.start, at);
    const to = Math.min(range.end, at + length);
    if (from < to) parts.push([start + from - at, to - from]);
    at += length;
  }
  return parts;
}

/** Reads parts of a file one after the other. The file stays open; a file that is too short is an error. */
export function readSegments(file: FileHandle, segments: Segments): Readable {
  return Readable.from(chunks(file, segments), { objectMode: false, highWaterMark: readBytes });
}

async function* chunks(file: FileHandle, segments: Segments): AsyncGenerator<Uint8Array> {
  for await (const chunk of readInto(() => Buffer.allocUnsafe(readBytes), file, segments)) yield chunk;
}

/**
 * Reads the same into two buffers in turn: a chunk is good until the next but one is asked for, so that one can be sent
 * while the other is read. Fresh buffers are garbage of some hundred megabytes before anybody collects them.
 */
export function readInTurns(file: FileHandle, segments: Segments): AsyncIterable<Uint8Array> {
  const size = Math.min(turnBytes, sizeOf(segments));
  const buffers = [Buffer.allocUnsafeSlow(size), Buffer.allocUnsafeSlow(size)] as const;
  let turn: 0 | 1 = 0;
  const nextBuffer = (): Buffer => {
    turn = turn === 0 ? 1 : 0;
    return buffers[turn];
  };
  return readInto(nextBuffer, file, segments);
}

async function* readInto(nextBuffer: () => Buffer, file: FileHandle, segments: Segments): AsyncGenerator<Uint8Array> {
  for (const [start, length] of segments) {
    let at = start;
    const end = start + length;
    while (at < end) {
      const buffer = nextBuffer();
      const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, end - at), at);
      if (bytesRead === 0) throw new Error(`expected ${end - at} more bytes of an entry, found its end`);
      yield buffer.subarray(0, bytesRead);
      at += bytesRead;
    }
  }
}
