import { createReadStream } from 'node:fs';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { type BuildLock, lockText, readLock } from '../resolve/lock.ts';
import { UserError } from '../user-error.ts';

const begin = 'forgejo-runner-lock-1:';
const end = ';';
const limitBytes = 16 << 20;

/** A lock as it is carried inside a runner: one line that can be found again without starting it. */
export function embedLock(lock: BuildLock): string {
  return `${begin}${deflateRawSync(lockText(lock), { level: 9 }).toString('base64')}${end}`;
}

/**
 * Finds the lock in a built runner, a bundle or an executable of any platform. Nothing of it is run.
 *
 * @throws UserError `FRB317`
 */
export async function readEmbeddedLock(file: string): Promise<BuildLock> {
  let text: string | undefined;
  try {
    text = await findLine(file);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new UserError('FRB317', `${file} cannot be read (${code ?? 'unknown'})`, { cause });
  }
  if (text === undefined) throw new UserError('FRB317', `${file} has no lock in it`);
  try {
    return readLock(
      inflateRawSync(Buffer.from(text, 'base64'), { maxOutputLength: limitBytes }).toString('utf8'),
      file,
    );
  } catch (cause) {
    if (cause instanceof UserError) throw cause;
    throw new UserError('FRB317', `the lock in ${file} is damaged`, { cause });
  }
}

async function findLine(file: string): Promise<string | undefined> {
  const pattern = new RegExp(`${begin}([A-Za-z0-9+/=]+)${end}`);
  let pending = '';
  for await (const chunk of createReadStream(file, { highWaterMark: 4 << 20 })) {
    // Each byte a character: the line itself is ASCII, whatever is around it.
    pending += (chunk as Buffer).toString('latin1');
    const found = pattern.exec(pending)?.[1];
    if (found !== undefined) return found;
    // The builder itself has the first words without the rest.
    const at = pending.lastIndexOf(begin);
    pending = at === -1 || pending.length - at > limitBytes ? pending.slice(-begin.length) : pending.slice(at);
  }
  return undefined;
}
