import { expect, it } from 'vitest';
import { CleanupStack } from './cleanup-stack.ts';

it('undoes in reverse order', async () => {
  const done: string[] = [];
  const stack = new CleanupStack();
  for (const name of ['a', 'b', 'c']) stack.defer(name, () => done.push(name));
  expect(await stack.run()).toEqual([]);
  expect(done).toEqual(['c', 'b', 'a']);
});

it('goes on after a failure and tells about each', async () => {
  const done: string[] = [];
  const stack = new CleanupStack();
  stack.defer('first', () => done.push('first'));
  stack.defer('throws', () => {
    throw new Error('no');
  });
  stack.defer('rejects', () => Promise.reject(new Error('never')));
  const failures = await stack.run();
  expect(failures.map((failure) => [failure.name, String(failure.error)])).toEqual([
    ['rejects', 'Error: never'],
    ['throws', 'Error: no'],
  ]);
  expect(done).toEqual(['first']);
});

it('runs each step once, also when run twice at the same time', async () => {
  let count = 0;
  const stack = new CleanupStack();
  stack.defer('counted', async () => {
    await Promise.resolve();
    count += 1;
  });
  await Promise.all([stack.run(), stack.run()]);
  await stack.run();
  expect(count).toBe(1);
});

it('runs a step that was added while it runs', async () => {
  const done: string[] = [];
  const stack = new CleanupStack();
  stack.defer('outer', () => stack.defer('inner', () => done.push('inner')));
  await stack.run();
  expect(done).toEqual(['inner']);
});

it('runs nothing after a release', async () => {
  const stack = new CleanupStack();
  stack.defer('kept', () => expect.unreachable());
  stack.release();
  expect(await stack.run()).toEqual([]);
});
