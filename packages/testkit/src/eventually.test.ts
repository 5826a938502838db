import { expect, it } from 'vitest';
import { eventually } from './eventually.ts';

it('returns the first truthy value', async () => {
  let looks = 0;
  expect(await eventually(() => (++looks > 3 ? `after ${looks}` : undefined), { intervalMs: 1 })).toBe('after 4');
});

it('takes a rejection as not yet', async () => {
  let looks = 0;
  const probe = async (): Promise<boolean> => {
    if (++looks < 3) throw new Error('too early');
    return true;
  };
  expect(await eventually(probe, { intervalMs: 1 })).toBe(true);
});

it('says what it waited for and keeps the last failure', async () => {
  const waiting = eventually(() => Promise.reject(new Error('still closed')), {
    timeoutMs: 10,
    intervalMs: 1,
    what: 'the port',
  });
  await expect(waiting).rejects.toMatchObject({
    message: 'expected the port within 10 ms, found it still missing',
    cause: { message: 'still closed' },
  });
});

it('takes no assertion, which would prove nothing', () => {
  const looks = [
    // @ts-expect-error: returns nothing
    () => eventually(() => expect(1).toBe(1)),
    // @ts-expect-error: resolves to nothing
    () => eventually(async () => expect(1).toBe(1)),
    // @ts-expect-error: returns nothing
    () => eventually(() => {}),
    () => eventually(() => [1, 2].find((one) => one === 2)),
    () => eventually(async () => 1 + 1 === 2),
  ];
  expect(looks).toHaveLength(5);
});
