import { expect, it } from 'vitest';
import { UserError, UserErrors } from '../user-error.ts';
import { exitCodeOf } from './exit-codes.ts';

it.each([
  [new UserError('FRB201', 'x'), 2],
  [new UserError('FRB304', 'x'), 3],
  [new UserError('FRB404', 'x'), 4],
  [new UserError('FRB503', 'x'), 5],
  [new UserError('FRB602', 'x'), 6],
  [new UserError('FRB501', 'x'), 7],
  [new UserError('FRB701', 'x'), 8],
  [new UserErrors([new UserError('FRB401', 'x'), new UserError('FRB302', 'x')]), 4],
  [new TypeError('a defect'), 1],
  [undefined, 1],
])('gives %s the exit code %i', (error, code) => {
  expect(exitCodeOf(error)).toBe(code);
});
