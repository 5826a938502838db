import { expect, it } from 'vitest';
import { labelSchema } from '../src/label.ts';

it('takes one variable and several', () => {
  expect(labelSchema.parse({})).toEqual({ pass: [] });
  expect(labelSchema.parse({ pass: 'LANG' })).toEqual({ pass: ['LANG'] });
  expect(labelSchema.parse({ pass: ['LANG', 'TZ'] })).toEqual({ pass: ['LANG', 'TZ'] });
});

it('finds what is misspelt', () => {
  expect(() => labelSchema.parse({ pas: 'LANG' })).toThrow('pas');
  expect(() => labelSchema.parse({ pass: 'A=B' })).toThrow('expected the name of a variable');
});
