import { createReadStream } from 'node:fs';
import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { UserError } from '../user-error.ts';

/** What is carried inside a runner. */
export type EmbeddedKind = 'lock' | 'evidence';

const end = ';';
const limitBytes = 16 << 20;

function beginOf(kind: EmbeddedKind): string {
  return `forgejo-runner-${kind}-1:`;
}

/** A text as it is carried inside a runner: one line that can be found again without starting it. */
export function embedText(kind: EmbeddedKind, text: string): string {
  return `${beginOf(kind)}${deflateRawSync(text, { level: 9 }).toString('base64')}${end}`;
}

/**
 * Finds a text in a built runner, a bundle or an executable of any platform. Nothing of it is run.
 *
 * @throws UserError `FRB317`
 */
export async function findText(kind: EmbeddedKind, file: string): Promise<string> {
  let packed: string | undefined;
  try {
    packed = await findLine(kind, file);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new UserError('FRB317', `${file} cannot be read (${code ?? 'unknown'})`, { cause });
  }
  if (packed === undefined) throw new UserError('FRB317', `${file} has no ${kind} in it`);
  try {
    return inflateRawSync(Buffer.from(packed, 'base64'), { maxOutputLength: limitBytes }).toString('utf8');
  } catch (cause) {
    throw new UserError('FRB317', `the ${kind} in ${file} is damaged`, { cause });
  }
}

async function findLine(kind: EmbeddedKind, file: string): Promise<string | undefined> {
  const begin = beginOf(kind);
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
