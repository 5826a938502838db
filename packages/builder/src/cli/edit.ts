import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { addToManifest, removeFromManifest } from '../manifest/edit-manifest.ts';
import { manifestName } from '../manifest/load-manifest.ts';
import { readManifest } from '../manifest/read-manifest.ts';
import { writeTextFile } from '../store/write-output.ts';
import { UserError } from '../user-error.ts';
import type { EditFlags } from './define-manifest.ts';
import { exitCodes } from './exit-codes.ts';

/** The command `add`. Resolves to its exit code. */
export function addCommand(specs: readonly string[], flags: EditFlags): Promise<number> {
  return edit(flags, (text, dir) => addToManifest(text, specs, dir));
}

/** The command `remove`. Resolves to its exit code. */
export function removeCommand(names: readonly string[], flags: EditFlags): Promise<number> {
  return edit(flags, (text, dir) => removeFromManifest(text, names, dir));
}

async function edit(flags: EditFlags, change: (text: string, dir: string) => string): Promise<number> {
  const file = path.resolve(flags.manifest ?? manifestName);
  const before = await readText(file);
  // Of a file that is wrong already no part is changed.
  readManifest(before, file);
  const text = change(before, path.dirname(file));
  await writeTextFile(file, text);
  process.stdout.write(text === before ? `${file} says so already\n` : `wrote ${file}\n`);
  return exitCodes.done;
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new UserError('FRB206', `expected a manifest at ${file}, but it cannot be read (${code ?? 'unknown'})`, {
      next: 'write one: forgejo-runner-build init',
      cause,
    });
  }
}
