import { createHash, randomBytes } from 'node:crypto';
import { open } from 'node:fs/promises';
import { openTempFolder } from '@forgejo-runner/testkit';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { cutSegments, joinSegments, readInTurns, readSegments, sizeOf } from './segments.ts';

it('joins parts that follow each other and drops empty ones', () => {
  expect(
    joinSegments([
      [0, 4],
      [4, 0],
      [4, 6],
      [20, 5],
      [10, 10],
      [20, 0],
    ]),
  ).toStrictEqual([
    [0, 10],
    [20, 5],
    [10, 10],
  ]);
});

it('reads any range of any order of parts', async () => {
  await using folder = await openTempFolder();
  const content = Buffer.from(Array.from({ length: 200 }, (_, index) => index));
  await folder.write({ file: content });
  await using file = await open(folder.join('file'));
  const part = fc.tuple(fc.nat(150), fc.nat(50));
  await fc.assert(
    fc.asyncProperty(fc.array(part, { maxLength: 6 }), fc.nat(300), fc.nat(300), async (parts, a, b) => {
      const whole = Buffer.concat(parts.map(([start, length]) => content.subarray(start, start + length)));
      const segments = joinSegments(parts);
      expect(sizeOf(segments)).toBe(whole.length);
      const range = { start: Math.min(a, b, whole.length), end: Math.min(Math.max(a, b), whole.length) };
      const read = Buffer.concat(await readSegments(file, cutSegments(segments, range)).toArray());
      expect(read).toStrictEqual(whole.subarray(range.start, range.end));
    }),
    { numRuns: 60 },
  );
});

it('reads a long content into two buffers in turn', async () => {
  await using folder = await openTempFolder();
  const content = randomBytes(1_500_000);
  await folder.write({ file: content });
  await using file = await open(folder.join('file'));
  const segments = [
    [1_000_000, 500_000],
    [0, 1_000_000],
  ] as const;
  const buffers = new Set<ArrayBufferLike>();
  const hash = createHash('sha256');
  for await (const chunk of readInTurns(file, segments)) {
    buffers.add(chunk.buffer);
    hash.update(chunk);
  }
  expect(buffers.size).toBe(2);
  const whole = Buffer.concat(segments.map(([start, length]) => content.subarray(start, start + length)));
  expect(hash.digest('hex')).toBe(createHash('sha256').update(whole).digest('hex'));
});

it('does not pass over a file that is too short', async () => {
  await using folder = await openTempFolder();
  await folder.write({ file: 'short' });
  await using file = await open(folder.join('file'));
  await expect(readSegments(file, [[0, 10]]).toArray()).rejects.toThrow('expected 5 more bytes');
});
