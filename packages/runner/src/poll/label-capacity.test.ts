import { expect, it } from 'vitest';
import { LabelCapacity } from './label-capacity.ts';

it('offers all labels, without a limit, where none is set', () => {
  expect(new LabelCapacity(new Map()).open(['a', 'b'])).toEqual({ labels: ['a', 'b'], most: Number.POSITIVE_INFINITY });
});

it('asks for no more than the tightest label takes', () => {
  const capacity = new LabelCapacity(
    new Map([
      ['a', 3],
      ['b', 2],
    ]),
  );
  expect(capacity.open(['a', 'b', 'c'])).toEqual({ labels: ['a', 'b', 'c'], most: 2 });
});

it('withdraws a label that is full, and offers it again', () => {
  const capacity = new LabelCapacity(new Map([['big', 1]]));
  const job = capacity.occupy(['big', 'linux', 'big']);
  expect(capacity.open(['big', 'linux'])).toEqual({ labels: ['linux'], most: Number.POSITIVE_INFINITY });
  job[Symbol.dispose]();
  job[Symbol.dispose]();
  expect(capacity.open(['big', 'linux'])).toEqual({ labels: ['big', 'linux'], most: 1 });
});

it('takes new limits while jobs run', () => {
  const capacity = new LabelCapacity(new Map());
  using _ = capacity.occupy(['a']);
  capacity.resize(new Map([['a', 1]]));
  expect(capacity.open(['a']).labels).toEqual([]);
  capacity.resize(new Map([['a', 2]]));
  expect(capacity.open(['a'])).toEqual({ labels: ['a'], most: 1 });
});
