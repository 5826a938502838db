import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { startTimeLimit } from './time-limit.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const dayMs = 24 * 3_600_000;

// Node fires a timer of more than 2^31 - 1 milliseconds, some 24.8 days, after one millisecond.
it.each([1000, 30 * dayMs, 100 * dayMs])('ends after %i ms and not before', (ms) => {
  const onEnd = vi.fn<() => void>();
  using _limit = startTimeLimit(ms, onEnd);
  vi.advanceTimersByTime(ms - 1);
  expect(onEnd).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(onEnd).toHaveBeenCalledOnce();
});

it('never ends when it is disposed', () => {
  startTimeLimit(60 * dayMs, expect.unreachable)[Symbol.dispose]();
  expect(vi.getTimerCount()).toBe(0);
});
