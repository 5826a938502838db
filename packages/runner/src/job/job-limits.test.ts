import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { minutesText, openJobSignals } from './job-limits.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function open(over: { signal?: AbortSignal; timeoutMs?: number; graceMs?: number } = {}) {
  return openJobSignals({ signal: new AbortController().signal, timeoutMs: 60_000, graceMs: 5000, ...over });
}

it('cancels after the time limit and ends the grace time after that', () => {
  using signals = open();
  vi.advanceTimersByTime(59_999);
  expect([signals.cancel.aborted, signals.grace.aborted]).toEqual([false, false]);
  vi.advanceTimersByTime(1);
  expect([signals.cancel.aborted, signals.grace.aborted]).toEqual([true, false]);
  expect(signals.reason()).toEqual({
    kind: 'timeout',
    text: 'The job ran longer than its limit of 1 minute and was cancelled',
  });
  vi.advanceTimersByTime(5000);
  expect(signals.grace.aborted).toBe(true);
});

it('cancels when it is told to, and keeps the first reason', () => {
  const user = new AbortController();
  using signals = open({ signal: user.signal });
  user.abort();
  vi.advanceTimersByTime(70_000);
  expect(signals.reason()).toEqual({ kind: 'cancelled', text: 'The job was cancelled' });
});

it('is cancelled from the start where the run was', () => {
  using signals = open({ signal: AbortSignal.abort() });
  expect(signals.cancel.aborted).toBe(true);
});

it('stops its clocks when it is disposed', () => {
  const signals = open();
  signals[Symbol.dispose]();
  expect(vi.getTimerCount()).toBe(0);
});

it.each([
  [60_000, '1 minute'],
  [90_000, '1.5 minutes'],
  [600, '0.01 minutes'],
  [3_600_000, '60 minutes'],
])('says %i ms as %s', (ms, text) => {
  expect(minutesText(ms)).toBe(text);
});
