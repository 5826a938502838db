import { expect, it } from 'vitest';
import { Gate } from './gate.ts';

it('gives what the promise gives while it is closed', async () => {
  const gate = new Gate();
  expect(await gate.orOpen(Promise.resolve(1))).toBe(1);
  await expect(gate.orOpen(Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(gate.isOpen).toBe(false);
});

it('ends waits when it opens, and later ones at once', async () => {
  const gate = new Gate();
  const waiting = gate.orOpen(new Promise(() => {}));
  gate.open();
  expect([await waiting, await gate.orOpen(new Promise(() => {})), gate.isOpen]).toEqual([undefined, undefined, true]);
});

it('swallows a rejection that comes too late', async () => {
  const gate = new Gate();
  const late = Promise.withResolvers<void>();
  const waiting = gate.orOpen(late.promise);
  gate.open();
  late.reject(new Error('late'));
  expect(await waiting).toBeUndefined();
  expect(await gate.orOpen(Promise.reject(new Error('later')))).toBeUndefined();
});
