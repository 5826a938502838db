/** Bytes of a content, `end` not among them. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/**
 * Reads a `Range` header for a content of so many bytes. `undefined` is all of it, which is also the answer to what is
 * not understood; `unsatisfiable` has no byte in it.
 *
 * Source: RFC 9110, 14.1 and 14.2. Of several ranges none is served, which the RFC allows.
 */
export function readByteRange(header: string | undefined, size: number): ByteRange | 'unsatisfiable' | undefined {
  const [, first, last] = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header ?? '') ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined;
  if (first === '') {
    const count = Math.min(Number(last), size);
    return count === 0 ? 'unsatisfiable' : { start: size - count, end: size };
  }
  const start = Number(first);
  const end = last === '' ? size : Math.min(Number(last) + 1, size);
  if (last !== '' && Number(last) < start) return undefined;
  return start >= size ? 'unsatisfiable' : { start, end };
}

/** Reads the `Content-Range` of a chunk: where it begins, and how many bytes it has. */
export function readChunkRange(
  header: string | undefined,
): { readonly start: number; readonly length: number } | undefined {
  const [, first, last] = /^bytes (\d{1,15})-(\d{1,15})\/(?:\*|\d+)$/.exec(header ?? '') ?? [];
  if (first === undefined || last === undefined) return undefined;
  const [start, end] = [Number(first), Number(last)];
  return end < start ? undefined : { start, length: end - start + 1 };
}
