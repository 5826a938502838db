import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { shownPath } from '../shown-path.ts';
import { quoted, UserError } from '../user-error.ts';
import type { Place } from '../workflow/yaml-node.ts';

/** Where secrets are read for. */
export interface SecretSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Relative paths start here. */
  readonly cwd: string;
  /** What names the file, for messages: a key or a flag. */
  readonly subject: string;
  readonly at?: Place;
}

const placeholder = /\$(?:\{CREDENTIALS_DIRECTORY\}|CREDENTIALS_DIRECTORY(?![A-Za-z0-9_]))/g;

/**
 * Reads the secret that a `file:` URL names, without the white space around it. `$CREDENTIALS_DIRECTORY` in it is the folder
 * that systemd gives a service for its credentials.
 *
 * @throws {UserError} `FRR102` where it cannot be read or is empty.
 */
export async function readSecretUrl(url: string, { env, cwd, subject, at }: SecretSurroundings): Promise<string> {
  const wrong = (message: string, next: string, cause?: unknown): UserError =>
    new UserError('FRR102', {
      problems: [{ message: `${subject}: ${message}`, ...(at === undefined ? {} : { at }) }],
      next,
      cause,
    });
  const folder = env['CREDENTIALS_DIRECTORY'];
  if (!folder && url.search(placeholder) >= 0) {
    throw wrong(
      'expected the variable CREDENTIALS_DIRECTORY, found none',
      'start the runner as a service with LoadCredential= in its unit, or write the path of the file',
    );
  }
  // A function, because `$&` in the path of the folder is no pattern.
  const path = pathOf(url).replaceAll(placeholder, () => folder ?? '');
  try {
    const secret = (await readFile(resolve(cwd, path), 'utf8')).trim();
    if (secret !== '') return secret;
  } catch (error) {
    const found = (error as NodeJS.ErrnoException).code ?? 'another error';
    throw wrong(
      `expected a readable file with a secret at ${quoted(shownPath(path, cwd))}, found ${found}`,
      'check path and rights of the file',
      error,
    );
  }
  throw wrong(`expected a secret in ${quoted(shownPath(path, cwd))}, found an empty file`, 'write the secret into it');
}

/** `file:name`, `file:/name` and `file:///name`. */
function pathOf(url: string): string {
  const path = url.replace(/^file:/i, '').replace(/^\/\/(?:localhost)?(?=\/)/i, '');
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
