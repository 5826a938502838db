import { findBackends } from '../resolve/catalogue.ts';
import { openNpm } from '../resolve/npm.ts';
import type { AnswerFlags } from './define-catalogue.ts';
import { exitCodes } from './exit-codes.ts';

/** The command `search`. Resolves to its exit code. */
export async function searchCommand(
  words: readonly string[],
  flags: AnswerFlags,
  signal: AbortSignal,
): Promise<number> {
  const found = await findBackends(words, openNpm(process.cwd(), process.env), signal);
  if (flags.json === true) process.stdout.write(`${JSON.stringify({ schema: 1, packages: found }, undefined, 2)}\n`);
  else if (found.length === 0) process.stdout.write('no backend package was found\n');
  else {
    for (const { name, version, api, backends, description } of found) {
      process.stdout.write(`${name}@${version}  API ${api}  ${backends.join(', ')}\n  ${description}\n`);
    }
  }
  return exitCodes.done;
}
