import { assert, double, integer, property } from 'fast-check';
import { expect, it } from 'vitest';
import { BackOff } from './back-off.ts';

const limits = { firstMs: 1000, mostMs: 60_000 };

it('doubles up to its limit', () => {
  const backOff = new BackOff(limits, () => 1 - 1e-12);
  const waits = Array.from({ length: 8 }, () => Math.round(backOff.failed()));
  expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]);
  expect(backOff.failures).toBe(8);
});

it('begins anew after a success', () => {
  const backOff = new BackOff(limits, () => 0);
  for (let at = 0; at < 5; at += 1) backOff.failed();
  backOff.succeeded();
  expect([backOff.failures, backOff.failed()]).toEqual([0, 500]);
});

it('has no hurry where a person has to do something first', () => {
  expect(new BackOff(limits, () => 0).failed({ isRefused: true })).toBe(30_000);
});

it.each([
  [90_000, 90_000],
  [10, 500],
  [1e12, 900_000],
])('waits as long as the server asks for, %d ms, within reason', (retryAfterMs, waitMs) => {
  expect(new BackOff(limits, () => 0).failed({ retryAfterMs })).toBe(waitMs);
});

it('is never shorter than half of its first step, nor longer than its limit', () => {
  assert(
    property(
      integer({ min: 0, max: 2000 }),
      double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (failures, random) => {
        const backOff = new BackOff(limits, () => random);
        let waitMs = 0;
        for (let at = 0; at <= failures; at += 1) waitMs = backOff.failed();
        expect(waitMs).toBeGreaterThanOrEqual(500);
        expect(waitMs).toBeLessThanOrEqual(60_000);
      },
    ),
  );
});
