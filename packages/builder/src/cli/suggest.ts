import { readFile } from 'node:fs/promises';
import { suggestManifest } from '../manifest/suggest-manifest.ts';
import { openNpm } from '../resolve/npm.ts';
import { UserError } from '../user-error.ts';
import { exitCodes } from './exit-codes.ts';

/** The command `suggest`: prints, writes nothing. Resolves to its exit code. */
export async function suggestCommand(flags: { readonly config: string }, signal: AbortSignal): Promise<number> {
  let text: string;
  try {
    text = await readFile(flags.config, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new UserError(
      'FRB208',
      `expected the configuration of a runner at ${flags.config}, but it cannot be read (${code ?? 'unknown'})`,
      { cause },
    );
  }
  const npm = openNpm(process.cwd(), process.env);
  const suggested = await suggestManifest({ text, file: flags.config }, npm, signal);
  process.stdout.write(suggested.text);
  if (suggested.unknown.length > 0) {
    process.stderr.write(
      `no package is known for ${suggested.unknown.join(', ')}: fill in the line that is left out\n`,
    );
  }
  return exitCodes.done;
}
