import { randomUUID } from 'node:crypto';
import { chmod, link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Owner } from '@forgejo-runner/core';
import { quoted, UserError } from '../user-error.ts';

const uuidPattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

// One for each start of the process: what carries another boot of the same runner was left by an earlier one.
const boot = randomUUID();

/**
 * Who this process is to backends: the UUID that `stateDir` keeps over restarts, and a boot of its own. Of two processes
 * that start at once on a new folder both get the same UUID.
 *
 * @throws {UserError} `FRR102` when the folder cannot be used or the file in it holds something else.
 */
export async function readRunnerIdentity(stateDir: string): Promise<Owner> {
  const file = join(stateDir, 'runner-id');
  try {
    await makePrivateFolder(stateDir);
    const runner = (await readIdentity(file)) ?? (await writeIdentity(file));
    if (uuidPattern.test(runner)) return { runner, boot };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    throw new UserError('FRR102', {
      problems: [{ message: `expected a folder for the state of the runner at ${quoted(stateDir)}, found ${code}` }],
      next: 'let the user of the runner write there, or set XDG_STATE_HOME to another folder',
      cause: error,
    });
  }
  throw new UserError('FRR102', {
    problems: [{ message: `expected the UUID of the runner in ${quoted(file)}, found something else` }],
    next: 'remove the file: the runner makes a new one, and no longer finds what it left behind under the old one',
  });
}

/** A folder that only this user can look into. */
export async function makePrivateFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  // It may have been there before, and `mode` is subject to the umask.
  await chmod(path, 0o700);
}

async function readIdentity(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function writeIdentity(file: string): Promise<string> {
  const runner = randomUUID();
  const written = `${file}.${randomUUID()}`;
  await writeFile(written, `${runner}\n`, { mode: 0o600, flag: 'wx' });
  try {
    // A link appears whole or not at all, and never replaces what another process put there first.
    await link(written, file);
    return runner;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return (await readFile(file, 'utf8')).trim();
  } finally {
    await rm(written, { force: true });
  }
}
