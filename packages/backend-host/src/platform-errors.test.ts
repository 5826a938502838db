import { expect, it } from 'vitest';
import { createError, unavailable } from './platform-errors.ts';

const errno = (code: string): Error => Object.assign(new Error(code), { code });

it.each([
  ['ENOTEMPTY', 'plan'],
  ['EEXIST', 'plan'],
  ['ENOSPC', 'unavailable'],
  ['EROFS', 'unavailable'],
  ['EACCES', 'unavailable'],
  ['ENOENT', 'unavailable'],
  ['EWEIRD', 'internal'],
])('translates %s while a job folder is made to %s', (code, expected) => {
  expect(createError(errno(code), 'job-1', '/jobs/job-1').code).toBe(expected);
});

it('keeps text and cause', () => {
  const cause = errno('ENOSPC');
  const error = unavailable(cause, 'make the folder', '/jobs');
  expect([error.message, error.cause]).toEqual(['cannot make the folder "/jobs": no space is left on the disk', cause]);
});
