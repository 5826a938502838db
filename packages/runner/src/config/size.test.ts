import { expect, it } from 'vitest';
import { parseSize } from './size.ts';

it.each([
  ['0', 0],
  ['1024', 1024],
  ['10k', 10_240],
  ['1.5MiB', 1_572_864],
  ['10 GB', 10_737_418_240],
  ['2TiB', 2_199_023_255_552],
  ['5b', 5],
  ['', undefined],
  ['-1', undefined],
  ['1e9', undefined],
  ['10 bytes', undefined],
  ['99999999999999T', undefined],
])('reads %j as %s bytes', (text, bytes) => {
  expect(parseSize(text)).toBe(bytes);
});
