import { assert, integer, property, string } from 'fast-check';
import { expect, it } from 'vitest';
import { formatDuration, parseDuration } from './duration.ts';

it.each([
  ['3h', 10_800_000],
  ['1m30s', 90_000],
  ['100ms', 100],
  ['0', 0],
  ['0s', 0],
  ['0ms', 0],
  ['+5s', 5000],
  ['1.5h', 5_400_000],
  ['.5s', 500],
  ['1.s', 1000],
  ['2h45m10s', 9_910_000],
  ['1s1s', 2000],
  ['1000us', 1],
  ['1000µs', 1],
  ['2562047h', 2_562_047 * 3_600_000],
])('reads %s', (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

it.each(['', '+', '-', '3', '3 h', '-1s', 'h', '3d', '1h-5m', '1e3s', 'Infinity', '0x1s', '2562048h', '1h '])(
  'refuses %j',
  (text) => {
    expect(parseDuration(text)).toBeUndefined();
  },
);

it('reads back what it writes', () => {
  assert(property(integer({ min: 0, max: 9e12 }), (ms) => parseDuration(formatDuration(ms)) === ms));
});

it('answers any text with a number or nothing', () => {
  assert(property(string(), (text) => (parseDuration(text) ?? 0) >= 0));
});
