import { BackendError, type BackendErrorCode, isBackendError } from '@forgejo-runner/core';

const table: Readonly<
  Record<string, { readonly code: BackendErrorCode; readonly text: string; readonly hint?: string }>
> = {
  ENOENT: { code: 'not_found', text: 'it does not exist' },
  EACCES: { code: 'plan', text: 'permission denied', hint: 'check its owner and mode' },
  EPERM: { code: 'plan', text: 'the system does not permit it', hint: 'check its owner and mode' },
  EEXIST: { code: 'plan', text: 'something else is there already' },
  EISDIR: { code: 'plan', text: 'it is a folder' },
  ENOTDIR: { code: 'plan', text: 'a part of the path is no folder' },
  ENOTEMPTY: { code: 'plan', text: 'a folder with something in it is there already' },
  ENAMETOOLONG: { code: 'plan', text: 'the name is too long' },
  ELOOP: { code: 'plan', text: 'a symlink is in the way' },
  EROFS: { code: 'unavailable', text: 'the file system is read-only' },
  ENOSPC: { code: 'unavailable', text: 'no space is left on the disk', hint: 'free some space, or move the folder' },
  EDQUOT: { code: 'unavailable', text: 'the disk quota is used up', hint: 'free some space, or raise the quota' },
  EMFILE: {
    code: 'unavailable',
    text: 'too many files are open in this process',
    hint: 'raise its limit of open files',
  },
  ENFILE: { code: 'unavailable', text: 'too many files are open on this machine' },
};

/** The `code` of an error of Node's, such as `ENOENT`. */
export function errnoOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/**
 * Says in plain words what the file system refused. A `BackendError` comes back as it is, and an error without a known
 * code becomes `internal`. `action` is an infinitive: `read`, `unpack`.
 */
export function fileError(error: unknown, action: string, path: string): BackendError {
  if (isBackendError(error)) return error;
  const known = table[errnoOf(error) ?? ''];
  const text = known?.text ?? (error instanceof Error ? error.message : String(error));
  return new BackendError(
    known?.code ?? 'internal',
    `cannot ${action} ${JSON.stringify(path.slice(0, 200))}: ${text}`,
    {
      cause: error,
      resource: path,
      ...(known?.hint === undefined ? {} : { hint: known.hint }),
    },
  );
}

/** What a call rejects with when its signal aborts. */
export function cancelled(action: string): BackendError {
  return new BackendError('cancelled', `${action} was cancelled`);
}
