import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { answerOf } from './answer-of.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('hands on what a call gives and what it throws', async () => {
  const { signal } = new AbortController();
  expect(await answerOf(Promise.resolve(1), signal)).toBe(1);
  await expect(answerOf(Promise.reject(new Error('no')), signal)).rejects.toThrow('no');
  expect(vi.getTimerCount()).toBe(0);
});

it('waits for a call that obeys', async () => {
  const cancel = new AbortController();
  const call = Promise.withResolvers<string>();
  const answer = answerOf(call.promise, cancel.signal);
  cancel.abort();
  await vi.advanceTimersByTimeAsync(59_999);
  call.resolve('cleaned up');
  expect(await answer).toBe('cleaned up');
});

it.each([true, false])(
  'gives up a call that does not obey, and takes what comes late (aborted before: %s)',
  async (before) => {
    const cancel = new AbortController();
    const call = Promise.withResolvers<string>();
    const onLate = vi.fn<(late: string) => void>();
    if (before) cancel.abort();
    const answer = answerOf(call.promise, cancel.signal, onLate).catch((error: unknown) => error);
    cancel.abort();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await answer).toMatchObject({ code: 'timeout' });
    call.resolve('late');
    await vi.advanceTimersByTimeAsync(0);
    expect(onLate).toHaveBeenCalledExactlyOnceWith('late');
  },
);
