import type { OutputSink } from '@forgejo-runner/core';

/** A sink that keeps what it was given. */
export interface Capture {
  readonly sink: OutputSink;
  /** All bytes so far. */
  readonly bytes: () => Uint8Array;
  /** All bytes so far as UTF-8. */
  readonly text: () => string;
  /** The lines so far, without their ends; a last line without an end counts. */
  readonly lines: () => readonly string[];
}

/** Makes a sink that collects, for tests of what writes to an `OutputSink`. */
export function captureOutput(): Capture {
  const chunks: Uint8Array[] = [];
  const bytes = (): Uint8Array => Buffer.concat(chunks);
  const text = (): string => Buffer.concat(chunks).toString('utf8');
  return {
    // A writer may reuse its buffer after the sink returned.
    sink: (chunk) => void chunks.push(Uint8Array.from(chunk)),
    bytes,
    text,
    lines: () => {
      const lines = text().split(/\r?\n/);
      if (lines.at(-1) === '') lines.pop();
      return lines;
    },
  };
}
