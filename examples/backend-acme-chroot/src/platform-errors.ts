import { BackendError, isBackendError } from '@forgejo-runner/core';
import { errnoOf, fileError } from '@forgejo-runner/kit';

/** Turns what Linux refused into a `BackendError`. A file that is missing is no `not_found` here: it is our own. */
export function platformError(error: unknown, action: string, path: string): BackendError {
  if (isBackendError(error)) return error;
  const translated = fileError(error, action, path);
  const errno = errnoOf(error);
  if (errno === 'ENOENT' || errno === 'EACCES' || errno === 'EPERM' || errno === 'EROFS') {
    return new BackendError('unavailable', translated.message, translated.details);
  }
  return translated;
}

/** What a sandbox says that could not be set up: the last words of the programs that tried. */
export function setupError(name: string, words: string): BackendError {
  const said = words.trim().split('\n').slice(-3).join('; ').slice(0, 500);
  const forbidden = /unshare failed|uid_map|Operation not permitted|[Pp]ermission denied/.test(said);
  return new BackendError(
    'unavailable',
    `cannot set up the sandbox "${name}": ${said === '' ? 'no reason given' : said}`,
    {
      resource: name,
      ...(forbidden ? { hint: 'allow user namespaces and the mounting of proc for the user of the runner' } : {}),
    },
  );
}
