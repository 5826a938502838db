import { type BuildLock, lockText, readLock } from '../resolve/lock.ts';
import { embedText, findText } from './embedded-text.ts';

/** A lock as it is carried inside a runner. */
export function embedLock(lock: BuildLock): string {
  return embedText('lock', lockText(lock));
}

/**
 * Finds the lock in a built runner, a bundle or an executable of any platform. Nothing of it is run.
 *
 * @throws UserError `FRB317`
 */
export async function readEmbeddedLock(file: string): Promise<BuildLock> {
  return readLock(await findText('lock', file), file);
}
