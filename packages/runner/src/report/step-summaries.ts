import { Buffer } from 'node:buffer';
import type { Masker } from '../log/masker.ts';

/** What a step may say in its summary, in bytes of UTF-8: GitHub's limit. */
export const summaryLimitBytes: number = 1024 * 1024;

/** More of a file is not read. Masking makes a summary shorter, so this is more than the limit. */
const readLimitBytes = 16 * summaryLimitBytes;

/** Stands at the end of a summary that was cut. Closes what is open in Markdown, as far as a blank line does. */
const cutNote = '\n\n… *This summary was cut at 1 MiB.*\n';

/** What a step wrote to `GITHUB_STEP_SUMMARY`, masked and at most 1 MiB; `undefined` where it is blank. */
export function stepSummary(content: Uint8Array, masker: Masker): string | undefined {
  const isWhole = content.length <= readLimitBytes;
  const read = new TextDecoder('utf-8').decode(content.subarray(0, readLimitBytes));
  // A stream that is not ended keeps back what may be the first half of a secret.
  const masked = isWhole ? masker.mask(read) : masker.stream().push(read);
  if (masked.trim() === '') return undefined;
  const bytes = Buffer.from(masked);
  if (bytes.length <= summaryLimitBytes && isWhole) return masked;
  let end = Math.min(bytes.length, summaryLimitBytes - Buffer.byteLength(cutNote));
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return bytes.toString('utf8', 0, end) + cutNote;
}
