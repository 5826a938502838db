import { array, assert, asyncProperty, integer, record } from 'fast-check';
import { expect, it } from 'vitest';
import { Capacity, type Reservation } from './capacity.ts';

const never = new AbortController().signal;
const all = Number.POSITIVE_INFINITY;

it('hands out all free places to one that asks alone', async () => {
  const capacity = new Capacity(4);
  using reserved = await capacity.reserve(all, never);
  expect([reserved.count, capacity.used]).toEqual([4, 4]);
});

it('reserves no more than was asked for', async () => {
  using reserved = await new Capacity(4).reserve(2, never);
  expect(reserved.count).toBe(2);
});

it('frees what was not occupied, and keeps what was until its job ends', async () => {
  const capacity = new Capacity(3);
  const reserved = await capacity.reserve(all, never);
  const job = reserved.occupy();
  reserved[Symbol.dispose]();
  expect(capacity.used).toBe(1);
  job[Symbol.dispose]();
  job[Symbol.dispose]();
  expect(capacity.used).toBe(0);
});

it('counts a job that a server hands out beyond the question', async () => {
  const capacity = new Capacity(1);
  const reserved = await capacity.reserve(all, never);
  const jobs = [reserved.occupy(), reserved.occupy()];
  reserved[Symbol.dispose]();
  expect(capacity.used).toBe(2);
  for (const job of jobs) job[Symbol.dispose]();
  expect(capacity.used).toBe(0);
});

it('serves those that wait in the order in which they came', async () => {
  const capacity = new Capacity(1);
  const first = await capacity.reserve(all, never);
  const order: string[] = [];
  const ask = async (name: string): Promise<void> => {
    using _ = await capacity.reserve(all, never);
    order.push(name);
  };
  const asking = [ask('b'), ask('c'), ask('d')];
  first[Symbol.dispose]();
  await Promise.all(asking);
  expect(order).toEqual(['b', 'c', 'd']);
});

it('shares free places among those that wait', async () => {
  const capacity = new Capacity(0);
  const asking = [capacity.reserve(all, never), capacity.reserve(all, never), capacity.reserve(all, never)];
  capacity.resize(7);
  expect((await Promise.all(asking)).map(({ count }) => count)).toEqual([2, 2, 3]);
});

it('lets one leave the line', async () => {
  const capacity = new Capacity(1);
  const first = await capacity.reserve(all, never);
  const stop = new AbortController();
  const leaving = capacity.reserve(all, stop.signal);
  const staying = capacity.reserve(all, never);
  stop.abort(new Error('stopped'));
  await expect(leaving).rejects.toThrow('stopped');
  first[Symbol.dispose]();
  expect((await staying).count).toBe(1);
  await expect(capacity.reserve(all, stop.signal)).rejects.toThrow('stopped');
});

it('lets jobs go on that run above a smaller number', async () => {
  const capacity = new Capacity(2);
  const reserved = await capacity.reserve(all, never);
  const jobs = [reserved.occupy(), reserved.occupy()];
  reserved[Symbol.dispose]();
  capacity.resize(1);
  let served: Reservation | undefined;
  void capacity.reserve(all, never).then((reservation) => (served = reservation));
  jobs[0]?.[Symbol.dispose]();
  await Promise.resolve();
  expect([capacity.total, served]).toEqual([1, undefined]);
  jobs[1]?.[Symbol.dispose]();
  await expect.poll(() => served?.count).toBe(1);
});

it('never hands out more than there is, and everybody gets a turn', async () => {
  const asks = array(record({ most: integer({ min: 1, max: 4 }), occupied: integer({ min: 0, max: 4 }) }), {
    maxLength: 20,
  });
  await assert(
    asyncProperty(integer({ min: 1, max: 5 }), asks, async (total, questions) => {
      const capacity = new Capacity(total);
      let most = 0;
      await Promise.all(
        questions.map(async (question) => {
          const reserved = await capacity.reserve(question.most, never);
          most = Math.max(most, capacity.used);
          const jobs = Array.from({ length: Math.min(question.occupied, reserved.count) }, () => reserved.occupy());
          reserved[Symbol.dispose]();
          await Promise.resolve();
          for (const job of jobs) job[Symbol.dispose]();
        }),
      );
      expect(most).toBeLessThanOrEqual(total);
      expect(capacity.used).toBe(0);
    }),
  );
});
