import { expect, it } from 'vitest';
import * as errors from './errors.ts';

const { BackendError, isBackendError } = errors;

it('carries code, message, details and cause', () => {
  const cause = new Error('refused');
  const error = new BackendError('unavailable', 'no answer', { cause, retryable: true, hint: 'start it' });
  expect([error.name, error.code, error.message, error.cause, error.details.hint]).toEqual([
    'BackendError',
    'unavailable',
    'no answer',
    cause,
    'start it',
  ]);
  expect(error).toBeInstanceOf(Error);
  expect(Object.hasOwn(new BackendError('internal', 'x'), 'cause')).toBe(false);
});

it('is known by its brand, also across two copies of this package', async () => {
  const path = './errors.ts?second-copy';
  const copy = (await import(path)) as typeof errors;
  const foreign = new copy.BackendError('lost', 'gone');
  expect(foreign instanceof BackendError).toBe(false);
  expect([isBackendError(foreign), copy.isBackendError(new BackendError('lost', 'gone'))]).toEqual([true, true]);
});

it.each([
  [undefined],
  [null],
  ['BackendError'],
  [{ name: 'BackendError', code: 'lost' }],
  [new Error('x')],
  [() => {}],
])('is not taken in by %s', (value) => {
  expect(isBackendError(value)).toBe(false);
});

it('does not show its brand', () => {
  const error = new BackendError('lost', 'gone');
  expect(Object.keys(error)).toEqual(expect.arrayContaining(['code', 'details']));
  expect(JSON.stringify(error)).not.toContain('brand');
});
