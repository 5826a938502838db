import { array, assert, asyncProperty, constantFrom } from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { InstanceError, type InstanceFailure } from '../forgejo/failures.ts';
import { Capacity } from './capacity.ts';
import { LabelCapacity } from './label-capacity.ts';
import { type PolledInstance, type PollOptions, pollLoop } from './poll-loop.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const down = new InstanceError({ code: 'FRR701', message: 'down', isRefused: false });

interface Question {
  readonly atMs: number;
  readonly capacity: number;
  readonly labels: readonly string[];
}

/** A loop with an instance that answers from a list, and an empty answer after its end. */
function start(answers: readonly (number | Error)[], more: Partial<PollOptions<number>> = {}) {
  const stop = new AbortController();
  const hurry = new AbortController();
  const questions: Question[] = [];
  const failures: InstanceFailure[] = [];
  const logged: string[] = [];
  const started: number[] = [];
  const confirmed: number[] = [];
  const places: Disposable[] = [];
  const left = [...answers];
  const say =
    (level: string) =>
    (message: string): void => {
      logged.push(`${level} ${message}`);
    };
  const instance: PolledInstance<number> = {
    name: 'one',
    probe: async () => {
      if (left[0] instanceof Error) throw left.shift() as Error;
    },
    fetchTasks: async ({ capacity, labels }) => {
      questions.push({ atMs: Date.now(), capacity, labels });
      const answer = left.shift() ?? 0;
      if (answer instanceof Error) throw answer;
      const tasks = Array.from({ length: answer }, (_, at) => at);
      return { tasks, confirm: async () => void confirmed.push(answer) };
    },
  };
  const capacity = more.capacity ?? new Capacity(3);
  const options: PollOptions<number> = {
    instance,
    capacity,
    labelCapacity: new LabelCapacity(new Map()),
    labels: () => ['a'],
    intervalMs: () => 2000,
    start: async (task, place) => {
      started.push(task);
      places.push(place);
    },
    onFailure: (failure) => failures.push(failure),
    log: { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') },
    random: () => 1 - 1e-12,
    ...more,
  };
  const startedAt = Date.now();
  const ended = pollLoop(options, { stop: stop.signal, hurry: hurry.signal });
  const times = (): readonly number[] => questions.map(({ atMs }) => atMs - startedAt);
  return { stop, hurry, questions, failures, logged, started, confirmed, places, capacity, ended, times };
}

it('asks once in an interval', async () => {
  const loop = start([]);
  await vi.advanceTimersByTimeAsync(6500);
  loop.stop.abort();
  await loop.ended;
  expect(loop.times()).toEqual([0, 2000, 4000, 6000]);
  expect(loop.confirmed).toEqual([0, 0, 0, 0]);
});

it('asks for free places only, and not at all without one', async () => {
  const loop = start([2, 1]);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(loop.questions.map(({ capacity }) => capacity)).toEqual([3, 1]);
  expect(loop.started).toEqual([0, 1, 0]);
  loop.places[0]?.[Symbol.dispose]();
  await vi.advanceTimersByTimeAsync(0);
  // At once, for the interval passed long ago.
  expect(loop.times().at(-1)).toBe(20_000);
  loop.stop.abort();
  await loop.ended;
});

it('asks ever more seldom while the instance fails, and says so once', async () => {
  const loop = start([down, down, down, 0]);
  await vi.advanceTimersByTimeAsync(14_500);
  loop.stop.abort();
  await loop.ended;
  // The second and third failure are of the probe, which takes no place.
  expect(loop.times()).toEqual([0, 14_000]);
  expect(loop.failures).toHaveLength(3);
  expect(loop.logged).toEqual(['warn down', 'debug down', 'debug down', 'info the instance answers again']);
});

it('leaves the places to others while its instance fails', async () => {
  const capacity = new Capacity(1);
  const failing = start([down, down, down, down, down, down, down, down], { capacity });
  const working = start([], { capacity });
  await vi.advanceTimersByTimeAsync(10_500);
  expect(working.times()).toEqual([0, 2000, 4000, 6000, 8000, 10_000]);
  failing.stop.abort();
  working.stop.abort();
  await Promise.all([failing.ended, working.ended]);
});

it('takes turns with a busy connection', async () => {
  const capacity = new Capacity(1);
  const order: string[] = [];
  const runFor = (name: string) => async (_: number, place: Disposable) => {
    order.push(name);
    setTimeout(() => place[Symbol.dispose](), 5000);
  };
  const busy = start(
    Array.from({ length: 20 }, () => 1),
    { capacity, start: runFor('busy') },
  );
  const other = start([1, 1, 1], { capacity, start: runFor('other') });
  await vi.advanceTimersByTimeAsync(29_000);
  expect(order).toEqual(['busy', 'other', 'busy', 'other', 'busy', 'other']);
  busy.stop.abort();
  other.stop.abort();
  await Promise.all([busy.ended, other.ended]);
});

it('offers only labels that have a place', async () => {
  const labelCapacity = new LabelCapacity(new Map([['big', 1]]));
  const loop = start([], { labelCapacity, labels: () => ['big', 'small'] });
  await vi.advanceTimersByTimeAsync(100);
  const job = labelCapacity.occupy(['big']);
  await vi.advanceTimersByTimeAsync(2000);
  job[Symbol.dispose]();
  await vi.advanceTimersByTimeAsync(2000);
  loop.stop.abort();
  await loop.ended;
  expect(loop.questions.map(({ capacity, labels }) => [capacity, labels.join(' ')])).toEqual([
    [1, 'big small'],
    [3, 'small'],
    [1, 'big small'],
  ]);
});

it('tells how long it could not ask for want of a place, of all jobs or of a label', async () => {
  const waits: number[] = [];
  const onPlace = (ms: number): void => void waits.push(ms);
  const labelCapacity = new LabelCapacity(new Map([['a', 1]]));
  const loop = start([3], { onPlace, labelCapacity });
  await vi.advanceTimersByTimeAsync(7000);
  const job = labelCapacity.occupy(['a']);
  loop.places[0]?.[Symbol.dispose]();
  await vi.advanceTimersByTimeAsync(3000);
  job[Symbol.dispose]();
  await vi.advanceTimersByTimeAsync(2000);
  loop.stop.abort();
  await loop.ended;
  expect(loop.times()).toEqual([0, 7000, 11_000]);
  expect(waits).toEqual([0, 5000, 4000]);
});

it('takes over what was on its way when it was stopped', async () => {
  const answer = Promise.withResolvers<readonly number[]>();
  const loop = start([], {
    instance: {
      name: 'slow',
      probe: async () => {},
      fetchTasks: async () => ({ tasks: await answer.promise, confirm: async () => {} }),
    },
  });
  await vi.advanceTimersByTimeAsync(10);
  loop.stop.abort();
  await vi.advanceTimersByTimeAsync(10_000);
  answer.resolve([7]);
  await loop.ended;
  expect(loop.started).toEqual([7]);
});

it('breaks off what is on its way when somebody is in a hurry', async () => {
  const loop = start([], {
    instance: {
      name: 'silent',
      probe: async () => {},
      fetchTasks: (_, signal) =>
        new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    },
  });
  await vi.advanceTimersByTimeAsync(10);
  loop.stop.abort();
  loop.hurry.abort();
  await expect(loop.ended).resolves.toBeUndefined();
});

it('does not confirm an answer with a task that could not be taken over, and gives its place back', async () => {
  const loop = start([1, 1], {
    start: async () => {
      throw new Error('disk full');
    },
  });
  await vi.advanceTimersByTimeAsync(100);
  expect([loop.confirmed, loop.capacity.used]).toEqual([[], 0]);
  expect(loop.failures[0]?.message).toContain('disk full');
  loop.stop.abort();
  await loop.ended;
});

it('never asks twice within half an interval, whatever happens', async () => {
  const answer = constantFrom<number | Error>(
    0,
    1,
    down,
    new Error('bug'),
    new InstanceError({ ...down.failure, isRefused: true }),
  );
  await assert(
    asyncProperty(array(answer, { maxLength: 30 }), async (answers) => {
      const loop = start(answers, { start: async (_, place) => place[Symbol.dispose]() });
      await vi.advanceTimersByTimeAsync(120_000);
      loop.stop.abort();
      await loop.ended;
      const times = loop.times();
      expect(times.slice(1).every((at, index) => at - (times[index] ?? 0) >= 1000)).toBe(true);
    }),
    { numRuns: 30 },
  );
});
