import type { Backend, BackendHealth } from '@forgejo-runner/core';
import { callContext } from '@forgejo-runner/testkit';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { BackendHealths } from './status.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A backend that is as the test says, and counts how often it was asked. */
function backend(id: string, answer: () => Promise<BackendHealth>): { readonly backend: Backend; asked: number } {
  const seen = {
    asked: 0,
    // Nothing else of it is called.
    backend: {
      id,
      health: () => {
        seen.asked += 1;
        return answer();
      },
    } as unknown as Backend,
  };
  return seen;
}

it('asks a backend every ten seconds at most, however often somebody looks', async () => {
  const one = backend('one', async () => ({ status: 'ok', freeSlots: 3 }));
  const health = new BackendHealths(callContext().log);
  for (let second = 0; second < 25; second += 1) {
    expect(await health.read([one.backend])).toEqual([{ id: 'one', status: 'ok' }]);
    await vi.advanceTimersByTimeAsync(1000);
  }
  expect(one.asked).toBe(3);
});

it('calls a backend down that does not answer, or cannot say, without having others wait', async () => {
  let isStuck = false;
  const stuck = backend('stuck', () => (isStuck ? new Promise(() => {}) : Promise.resolve({ status: 'ok' })));
  const broken = backend('broken', () => Promise.reject(new Error('no socket')));
  const health = new BackendHealths(callContext().log);
  const backends = [stuck.backend, broken.backend];
  expect(await health.read(backends)).toEqual([
    { id: 'stuck', status: 'ok' },
    { id: 'broken', status: 'down', detail: 'no socket' },
  ]);
  isStuck = true;
  await vi.advanceTimersByTimeAsync(11_000);
  // What is known is told while they are asked again.
  expect(await health.read(backends)).toMatchObject([{ status: 'ok' }, { status: 'down' }]);
  await vi.advanceTimersByTimeAsync(5001);
  expect(await health.read(backends)).toMatchObject([{ status: 'down', detail: 'no answer' }, { status: 'down' }]);
});

it('asks backends that replaced others at once', async () => {
  const [old, young] = [
    backend('one', async () => ({ status: 'down' })),
    backend('one', async () => ({ status: 'ok' })),
  ];
  const health = new BackendHealths(callContext().log);
  expect(await health.read([old.backend])).toMatchObject([{ status: 'down' }]);
  expect(await health.read([young.backend])).toMatchObject([{ status: 'ok' }]);
  expect(await health.read([])).toEqual([]);
});
