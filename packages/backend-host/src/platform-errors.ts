import { BackendError } from '@forgejo-runner/core';
import { errnoOf, fileError } from '@forgejo-runner/kit';

/** A job folder could not be made. */
export function createError(error: unknown, name: string, folder: string): BackendError {
  const code = errnoOf(error);
  if (code !== 'EEXIST' && code !== 'ENOTEMPTY' && code !== 'ENOTDIR')
    return unavailable(error, 'make the job folder', folder);
  return new BackendError('plan', `expected a name that is free, found an environment "${name}" already`, {
    resource: folder,
    cause: error,
    hint: 'choose another name for each attempt',
  });
}

/** The folder for jobs does not work: that is the machine's fault and never the job's. */
export function unavailable(error: unknown, action: string, folder: string): BackendError {
  const known = fileError(error, action, folder);
  if (known.code !== 'plan' && known.code !== 'not_found') return known;
  return new BackendError('unavailable', known.message, known.details);
}
