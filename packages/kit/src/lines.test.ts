import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { type Line, LineSplitter } from './lines.ts';

function split(chunks: readonly (string | Uint8Array)[], limitBytes = 64): Line[] {
  const splitter = new LineSplitter({ limitBytes });
  const lines = chunks.flatMap((chunk) => splitter.push(typeof chunk === 'string' ? Buffer.from(chunk) : chunk));
  return [...lines, ...splitter.end()];
}
const texts = (lines: readonly Line[]): string[] => lines.map((line) => line.text);

it('gives the lines of one chunk', () => {
  expect(texts(split(['a\nb\n\nc\n']))).toEqual(['a', 'b', '', 'c']);
});

it('keeps the last line without a newline', () => {
  expect(texts(split(['a\nb']))).toEqual(['a', 'b']);
});

it('gives nothing for nothing', () => {
  expect(split([])).toEqual([]);
  expect(split([''])).toEqual([]);
});

it('cuts the carriage return of a line end, and no other', () => {
  expect(texts(split(['a\r\nb\rc\r', '\nd\r\r\ne\r']))).toEqual(['a', 'b\rc', 'd\r', 'e']);
});

it('puts a character together that arrives in two chunks', () => {
  const bytes = Buffer.from('grün €\n');
  expect(texts(split([bytes.subarray(0, 3), bytes.subarray(3, 8), bytes.subarray(8)]))).toEqual(['grün €']);
});

it('replaces bytes that are no UTF-8', () => {
  expect(texts(split([Buffer.from([0x61, 0xff, 0x62, 0x0a])]))).toEqual(['a\uFFFDb']);
});

it('hands out a line over the limit in pieces that say so', () => {
  expect(split(['abcdefghij\nk\n'], 4)).toEqual([
    { text: 'abcd', isContinued: true },
    { text: 'efgh', isContinued: true },
    { text: 'ij', isContinued: false },
    { text: 'k', isContinued: false },
  ]);
});

it('does not make an empty piece for a line of exactly the limit', () => {
  expect(split(['abcd\r\n'], 4)).toEqual([{ text: 'abcd', isContinued: false }]);
  expect(split(['abcd', '\r', '\n'], 4)).toEqual([{ text: 'abcd', isContinued: false }]);
  expect(split(['abcde\n'], 4)).toEqual([
    { text: 'abcd', isContinued: true },
    { text: 'e', isContinued: false },
  ]);
});

it('cuts pieces between characters', () => {
  expect(split(['aaa€b\n'], 4)).toEqual([
    { text: 'aaa', isContinued: true },
    { text: '€b', isContinued: false },
  ]);
});

it('cuts bytes that are no UTF-8 at the limit', () => {
  const pieces = split([Buffer.alloc(9, 0x80)], 4);
  expect(pieces.map((piece) => piece.text.length)).toEqual([4, 4, 1]);
});

it('refuses a limit that no character fits into', () => {
  expect(() => new LineSplitter({ limitBytes: 3 })).toThrow('at least 4 bytes');
  expect(() => new LineSplitter({ limitBytes: Number.NaN })).toThrow('at least 4 bytes');
});

it('gives the same lines however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      fc.array(fc.nat(20)),
      fc.integer({ min: 4, max: 12 }),
      (text, cuts, limit) => {
        const bytes = Buffer.from(text);
        const chunks: Buffer[] = [];
        let at = 0;
        for (const cut of cuts) {
          chunks.push(bytes.subarray(at, at + cut));
          at += cut;
        }
        chunks.push(bytes.subarray(at));
        expect(split(chunks, limit)).toEqual(split([bytes], limit));
      },
    ),
  );
});

it('loses no byte of valid text and keeps every piece within the limit', () => {
  const anyText = fc.array(fc.constantFrom('a', 'é', '€', '😀', '\n', ' ')).map((parts) => parts.join(''));
  fc.assert(
    fc.property(anyText, fc.integer({ min: 4, max: 9 }), (text, limit) => {
      const lines = split([text], limit);
      for (const line of lines) expect(Buffer.byteLength(line.text)).toBeLessThanOrEqual(limit);
      const whole = lines.map((line) => line.text + (line.isContinued ? '' : '\n')).join('');
      expect(whole).toBe(text === '' || text.endsWith('\n') ? text : `${text}\n`);
    }),
  );
});
