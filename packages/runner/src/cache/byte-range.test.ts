import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { readByteRange, readChunkRange } from './byte-range.ts';

it.each([
  [undefined, undefined],
  ['bytes=0-', { start: 0, end: 10 }],
  ['bytes=0-0', { start: 0, end: 1 }],
  ['bytes=3-5', { start: 3, end: 6 }],
  ['bytes=3-500', { start: 3, end: 10 }],
  ['Bytes = 3 - 5', { start: 3, end: 6 }],
  ['bytes=-4', { start: 6, end: 10 }],
  ['bytes=-400', { start: 0, end: 10 }],
  ['bytes=-0', 'unsatisfiable'],
  ['bytes=10-', 'unsatisfiable'],
  ['bytes=99999999999999999999-', 'unsatisfiable'],
  ['bytes=5-3', undefined],
  ['bytes=-', undefined],
  ['bytes=1-2,4-5', undefined],
  ['lines=1-2', undefined],
  ['bytes=1-2; drop', undefined],
])('reads the range %j of ten bytes', (header, range) => {
  expect(readByteRange(header, 10)).toStrictEqual(range);
});

it('never leads out of the content', () => {
  const header = fc.oneof(
    fc.string(),
    fc.tuple(fc.bigInt({ min: 0n }), fc.bigInt({ min: 0n })).map(([a, b]) => `bytes=${a}-${b}`),
    fc.nat(30).map((n) => `bytes=-${n}`),
  );
  fc.assert(
    fc.property(header, fc.nat(20), (text, size) => {
      const range = readByteRange(text, size);
      if (typeof range !== 'object') return;
      expect(range.start >= 0 && range.start < range.end && range.end <= size).toBe(true);
    }),
  );
});

it.each([
  ['bytes 0-9/*', { start: 0, length: 10 }],
  ['bytes 10-19/100', { start: 10, length: 10 }],
  ['bytes 9-0/*', undefined],
  ['bytes 0-99999999999999999/*', undefined],
  ['0-9', undefined],
  [undefined, undefined],
])('reads the place of a chunk from %j', (header, range) => {
  expect(readChunkRange(header)).toStrictEqual(range);
});
