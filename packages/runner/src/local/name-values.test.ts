import { expect, it } from 'vitest';
import { readNameValues } from './name-values.ts';

it('reads names with values, and takes the others from the environment', () => {
  expect(readNameValues('--env', ['A=1', 'B=x=y', 'C=', 'D'], { D: 'd' })).toEqual(
    new Map([
      ['A', '1'],
      ['B', 'x=y'],
      ['C', ''],
      ['D', 'd'],
    ]),
  );
});

it('lists every flag that is wrong', () => {
  expect(() => readNameValues('--var', ['=secret', 'NONE'], {})).toThrow(
    'expected NAME=value after --var, found no name\nexpected a value for --var "NONE", found none here and none in the environment',
  );
});
