import { BackendError } from '@forgejo-runner/core';
import { expect, it } from 'vitest';
import { cancelled, errnoOf, fileError } from './file-errors.ts';

const errno = (code: string): Error => Object.assign(new Error(`${code}: raw`), { code });

it.each([
  ['ENOENT', 'not_found', 'cannot read "/x": it does not exist'],
  ['EACCES', 'plan', 'cannot read "/x": permission denied'],
  ['ENOSPC', 'unavailable', 'cannot read "/x": no space is left on the disk'],
  ['EMFILE', 'unavailable', 'cannot read "/x": too many files are open in this process'],
  ['EWEIRD', 'internal', 'cannot read "/x": EWEIRD: raw'],
])('translates %s to %s', (code, expected, message) => {
  const error = fileError(errno(code), 'read', '/x');
  expect([error.code, error.message, error.details.resource]).toEqual([expected, message, '/x']);
  expect(errnoOf(error.cause)).toBe(code);
});

it('leaves a BackendError as it is, and takes what is no error', () => {
  const error = new BackendError('lost', 'x');
  expect(fileError(error, 'read', '/x')).toBe(error);
  expect(fileError('text', 'read', '/x').message).toBe('cannot read "/x": text');
  expect([errnoOf(null), errnoOf('text'), errnoOf({ code: 5 })]).toEqual([undefined, undefined, undefined]);
});

it('cuts a long path', () => {
  expect(fileError(errno('ENOENT'), 'read', 'x'.repeat(1000)).message.length).toBeLessThan(260);
});

it('says what was cancelled', () => {
  expect([cancelled('packing').code, cancelled('packing').message]).toEqual(['cancelled', 'packing was cancelled']);
});
