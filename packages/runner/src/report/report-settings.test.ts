import { expect, it } from 'vitest';
import { retryDelayMs } from './report-settings.ts';

const retry = { maxRetries: 10, initialDelayMs: 100, maxDelayMs: 0 };
const random = (): number => 0.5;

it.each([
  [1, 75],
  [2, 150],
  [5, 1200],
  [11, 45_000],
  [1000, 45_000],
])('waits longer with each failure: after %i it is %i ms', (failures, expected) => {
  expect(retryDelayMs(failures, retry, { random })).toBe(expected);
});

it('keeps to the limit of the administrator, and to what a server asks for within reason', () => {
  expect(retryDelayMs(20, { ...retry, maxDelayMs: 1000 }, { random })).toBe(750);
  expect(retryDelayMs(1, retry, { random, retryAfterMs: 5000 })).toBe(5000);
  expect(retryDelayMs(1, retry, { random, retryAfterMs: 1e12 })).toBe(900_000);
});

it('never waits for nothing', () => {
  expect(retryDelayMs(1, { ...retry, initialDelayMs: 0 }, { random: () => 0 })).toBe(1);
});
