import { expect, it, test } from 'vitest';
import { UserError } from '../user-error.ts';
import { type NeedingJob, orderJobs } from './order-jobs.ts';

function jobsOf(needs: Readonly<Record<string, readonly string[]>>): ReadonlyMap<string, NeedingJob> {
  const jobs = new Map<string, NeedingJob>();
  for (const [line, [id, ids]] of Object.entries(needs).entries()) {
    const at = { file: 'w.yml', line: line + 1, column: 3 };
    jobs.set(id, { id, at, needs: ids.map((need, index) => ({ id: need, at: { ...at, column: 10 + index } })) });
  }
  return jobs;
}

function failure(needs: Readonly<Record<string, readonly string[]>>): readonly string[] {
  try {
    orderJobs(jobsOf(needs));
  } catch (error) {
    if (error instanceof UserError && error.code === 'FRR304') return error.message.split('\n');
    throw error;
  }
  throw new Error('it was accepted');
}

test.each<[title: string, needs: Record<string, readonly string[]>, stages: string[][]]>([
  ['no job', {}, []],
  ['one job', { a: [] }, [['a']]],
  ['jobs that need none, in the order of the file', { b: [], a: [] }, [['b', 'a']]],
  ['a chain', { c: ['b'], b: ['a'], a: [] }, [['a'], ['b'], ['c']]],
  ['a diamond', { a: [], b: ['a'], c: ['a'], d: ['b', 'c'] }, [['a'], ['b', 'c'], ['d']]],
  ['a need twice', { a: [], b: ['a', 'a'] }, [['a'], ['b']]],
  ['hostile ids', { constructor: [], toString: ['constructor'] }, [['constructor'], ['toString']]],
])('orders %s', (_title, needs, stages) => {
  expect(orderJobs(jobsOf(needs)).map((stage) => stage.map(({ id }) => id))).toEqual(stages);
});

test.each<[title: string, needs: Record<string, readonly string[]>, problems: string[]]>([
  [
    'an unknown job',
    { build: [], test: ['biuld', 'x'] },
    [
      'w.yml:2:10: expected a job of this workflow in "needs" of "test", found "biuld"; did you mean "build"?',
      'w.yml:2:11: expected a job of this workflow in "needs" of "test", found "x"',
    ],
  ],
  [
    'a job that needs itself',
    { a: ['a'] },
    ['w.yml:1:10: expected jobs that do not wait for themselves, found the cycle "a" → "a"'],
  ],
  [
    'a cycle with a way in',
    { start: ['a'], a: ['b'], b: ['c'], c: ['a'] },
    ['w.yml:4:10: expected jobs that do not wait for themselves, found the cycle "a" → "b" → "c" → "a"'],
  ],
  [
    'two cycles',
    { a: ['b'], b: ['a'], c: ['d'], d: ['c'] },
    [
      'w.yml:2:10: expected jobs that do not wait for themselves, found the cycle "a" → "b" → "a"',
      'w.yml:4:10: expected jobs that do not wait for themselves, found the cycle "c" → "d" → "c"',
    ],
  ],
])('refuses %s', (_title, needs, problems) => {
  expect(failure(needs)).toEqual(problems);
});

it('names some of the jobs of a long cycle, and some of many cycles', () => {
  const ids = Array.from({ length: 3000 }, (_, i) => `j${i}`);
  const long = Object.fromEntries(ids.map((id, i) => [id, [ids[(i + 1) % ids.length] ?? '']]));
  expect(failure(long)).toEqual([expect.stringMatching(/cycle "j0" → .* → "j9" → 2990 more → "j0"$/)]);
  const many = Object.fromEntries(ids.map((id, i) => [id, ids.slice(0, Math.min(i + 1, 20))]));
  expect(failure(many)).toHaveLength(10);
});

it('orders a chain of 5000 jobs', () => {
  const needs = Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`j${i}`, i === 0 ? [] : [`j${i - 1}`]]));
  expect(orderJobs(jobsOf(needs))).toHaveLength(5000);
});
