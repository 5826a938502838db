import { expect, it } from 'vitest';
import { parseSize, parseTime, sizeText } from './units.ts';

it.each([
  ['0', 0],
  ['250ms', 250],
  ['1.5h', 5_400_000],
  ['3d', 259_200_000],
  ['2 w', 1_209_600_000],
])('reads the time %s', (text, ms) => {
  expect(parseTime(text, 'x')).toBe(ms);
});

it.each([
  ['0', 0],
  ['12B', 12],
  ['300kB', 300_000],
  ['2GiB', 2 ** 31],
])('reads the size %s', (text, bytes) => {
  expect(parseSize(text, 'x')).toBe(bytes);
});

it.each(['', '5', 'd', '-1d', '1y', '1constructor', '1e3s', '١d'])('refuses the time %j', (text) => {
  expect(() => parseTime(text, '--unused-for')).toThrow('expected a time such as 3d');
});

it.each([
  [12, '12 B'],
  [700_000, '684 KiB'],
  [120_100_000, '120.1 MB'],
])('writes %i as %s', (bytes, text) => {
  expect(sizeText(bytes)).toBe(text);
});
