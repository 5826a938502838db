import { UserError, UserErrors } from '../user-error.ts';

const reasons: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota is used up',
  EFBIG: 'a file may not be that large here',
  EROFS: 'the file system is read-only',
  EACCES: 'writing there is not allowed',
  EPERM: 'writing there is not allowed',
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'its folder is not a folder',
  EISDIR: 'it is a folder',
};
const ofTheCache = ['ENOSPC', 'EDQUOT', 'EFBIG', 'EROFS', 'EACCES', 'EPERM', 'ENOTDIR'];

/** What a failed write says about the disk, in words. Undefined for every other error. */
export function diskProblem(error: unknown): string | undefined {
  const { code = '' } = (error ?? {}) as NodeJS.ErrnoException;
  const reason = reasons[code];
  return reason === undefined ? undefined : `${reason} (${code})`;
}

/**
 * Runs what writes into the cache.
 *
 * @throws UserError `FRB604` instead of what the disk said.
 */
export async function inCache<T>(cacheDir: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof UserError || error instanceof UserErrors) throw error;
    const { code = '' } = (error ?? {}) as NodeJS.ErrnoException;
    if (!ofTheCache.includes(code)) throw error;
    throw new UserError('FRB604', `the cache in ${cacheDir} could not be written: ${diskProblem(error)}`, {
      cause: error,
    });
  }
}
