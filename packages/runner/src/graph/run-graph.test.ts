import { expect, it } from 'vitest';
import type { JobResult } from '../report/job-report.ts';
import { type GraphJob, mergeResults, runGraph } from './run-graph.ts';
import { Slots } from './slots.ts';

const forever = new AbortController().signal;

/** A job that waits until it is let go, and records when it started. */
function recorded(started: string[]) {
  const gates = new Map<string, (result: JobResult) => void>();
  const job = (
    id: string,
    needs: string[] = [],
    over: { count?: number; failFast?: boolean; maxParallel?: number } = {},
  ): GraphJob => ({
    id,
    needs,
    expand: async () => ({
      failFast: over.failFast ?? true,
      maxParallel: over.maxParallel ?? 10,
      instances: Array.from({ length: over.count ?? 1 }, (_, index) => ({
        run: (signal) => {
          const name = over.count === undefined ? id : `${id}-${index}`;
          if (signal.aborted) return Promise.resolve({ result: 'cancelled', outputs: new Map() });
          started.push(name);
          return new Promise((resolve) => {
            const end = (result: JobResult): void => resolve({ result, outputs: new Map([['from', name]]) });
            gates.set(name, end);
            signal.addEventListener('abort', () => end('cancelled'));
          });
        },
      })),
    }),
  });
  const end = async (name: string, result: JobResult): Promise<void> => {
    await expect.poll(() => gates.has(name)).toBe(true);
    gates.get(name)?.(result);
  };
  return { job, end };
}

it('starts a job when all that it needs has ended', async () => {
  const started: string[] = [];
  const { job, end } = recorded(started);
  const all = runGraph([job('a'), job('b'), job('c', ['a', 'b'])], { slots: new Slots(5), signal: forever });
  await end('a', 'success');
  expect(started).toEqual(['a', 'b']);
  await end('b', 'success');
  await end('c', 'success');
  expect([...(await all)].map(([id, { result }]) => [id, result])).toEqual([
    ['a', 'success'],
    ['b', 'success'],
    ['c', 'success'],
  ]);
});

it('tells a job what those before it came to, near and far', async () => {
  const seen: unknown[] = [];
  const done = (id: string, needs: string[], result: JobResult): GraphJob => ({
    id,
    needs,
    expand: async (context) => {
      seen.push([id, [...context.needs.keys()], context.before]);
      return { failFast: true, maxParallel: 1, instances: [{ run: async () => ({ result, outputs: new Map() }) }] };
    },
  });
  await runGraph([done('a', [], 'failure'), done('b', ['a'], 'skipped'), done('c', ['b'], 'success')], {
    slots: new Slots(1),
    signal: forever,
  });
  expect(seen).toEqual([
    ['a', [], []],
    ['b', ['a'], ['failure']],
    ['c', ['b'], ['failure', 'skipped']],
  ]);
});

it('runs no more jobs at once than allowed', async () => {
  const started: string[] = [];
  const { job, end } = recorded(started);
  const all = runGraph([job('a'), job('b'), job('c')], { slots: new Slots(2), signal: forever });
  await expect.poll(() => started).toEqual(['a', 'b']);
  await end('a', 'success');
  await expect.poll(() => started).toEqual(['a', 'b', 'c']);
  await end('b', 'success');
  await end('c', 'success');
  await all;
});

it('keeps to max-parallel of a matrix', async () => {
  const started: string[] = [];
  const { job, end } = recorded(started);
  const all = runGraph([job('m', [], { count: 3, maxParallel: 1 })], { slots: new Slots(5), signal: forever });
  for (const index of [0, 1, 2]) {
    await expect.poll(() => started.length).toBe(index + 1);
    await end(`m-${index}`, 'success');
  }
  expect((await all).get('m')?.result).toBe('success');
});

it('cancels the other instances of a matrix when one fails', async () => {
  const { job, end } = recorded([]);
  const all = runGraph([job('m', [], { count: 3 })], { slots: new Slots(5), signal: forever });
  await end('m-1', 'failure');
  expect((await all).get('m')?.result).toBe('failure');
});

it('does not start instances that waited when one failed', async () => {
  const started: string[] = [];
  const { job, end } = recorded(started);
  const all = runGraph([job('m', [], { count: 3, maxParallel: 1 })], { slots: new Slots(5), signal: forever });
  await end('m-0', 'failure');
  await all;
  expect(started).toEqual(['m-0']);
});

it('lets the others go on without fail-fast', async () => {
  const { job, end } = recorded([]);
  const all = runGraph([job('m', [], { count: 2, failFast: false })], { slots: new Slots(5), signal: forever });
  await end('m-0', 'failure');
  await end('m-1', 'success');
  expect((await all).get('m')?.outputs).toEqual(new Map([['from', 'm-1']]));
});

it('hands the cancellation of the run to every instance', async () => {
  const cancel = new AbortController();
  const started: string[] = [];
  const { job } = recorded(started);
  const all = runGraph([job('a'), job('b')], { slots: new Slots(5), signal: cancel.signal });
  await expect.poll(() => started.length).toBe(2);
  cancel.abort();
  expect([...(await all).values()].map(({ result }) => result)).toEqual(['cancelled', 'cancelled']);
});

it.each<[JobResult[], JobResult]>([
  [['success', 'success'], 'success'],
  [['success', 'failure', 'cancelled'], 'failure'],
  [['success', 'cancelled'], 'cancelled'],
  [['success', 'skipped'], 'success'],
  [['skipped', 'skipped'], 'skipped'],
  [[], 'skipped'],
])('merges %j to %s', (results, merged) => {
  expect(mergeResults(results)).toBe(merged);
});

it('takes no slot for an instance that is a graph itself, whose instances share the slots', async () => {
  const slots = new Slots(1);
  const started: string[] = [];
  const leaf = (id: string): GraphJob => ({
    id,
    needs: [],
    expand: async () => ({
      failFast: true,
      maxParallel: 1,
      instances: [{ run: async () => ({ result: started.push(id) > 0 ? 'success' : 'failure', outputs: new Map() }) }],
    }),
  });
  const outer = (id: string): GraphJob => ({
    id,
    needs: [],
    expand: async () => ({
      failFast: true,
      maxParallel: 1,
      instances: [
        {
          isGraph: true,
          run: async (signal) => {
            const inner = await runGraph([leaf(`${id}/x`), leaf(`${id}/y`)], { slots, signal });
            return { result: mergeResults([...inner.values()].map(({ result }) => result)), outputs: new Map() };
          },
        },
      ],
    }),
  });
  const results = await runGraph([outer('a'), outer('b')], { slots, signal: forever });
  expect([...results.values()].map(({ result }) => result)).toEqual(['success', 'success']);
  expect(started.toSorted()).toEqual(['a/x', 'a/y', 'b/x', 'b/y']);
});
