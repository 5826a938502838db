import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { chmod, copyFile, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../user-error.ts';
import { isRunning } from './store.ts';
import { diskProblem } from './disk-problem.ts';

/**
 * Moves a finished file to where it was asked for: executable, whole or not at all. An earlier output stays until the new one is
 * complete on disk.
 *
 * @throws UserError `FRB602`
 */
export async function writeOutput(output: string, finished: string, mode = 0o755): Promise<void> {
  const temporary = temporaryBeside(output);
  try {
    await refuseFolder(output);
    await sweepBeside(output);
    await writeWhole(temporary, finished, mode);
    await rename(temporary, output);
  } catch (error) {
    const reason = diskProblem(error);
    if (reason === undefined) throw error;
    throw new UserError('FRB602', `${output} could not be written: ${reason}`, { cause: error });
  } finally {
    await rm(temporary, { force: true });
  }
}

/** A name beside an output for what is not complete yet. */
export function temporaryBeside(file: string): string {
  return path.join(path.dirname(file), `.${path.basename(file)}.${process.pid}-${randomUUID().slice(0, 8)}.tmp`);
}

/** Removes what a killed builder left beside an output. */
export async function sweepBeside(output: string): Promise<void> {
  const dir = path.dirname(output);
  const begin = `.${path.basename(output)}.`;
  for (const name of await readdir(dir)) {
    if (!name.startsWith(begin)) continue;
    const pid = Number(/^(\d+)-[0-9a-f]{8}\.tmp$/.exec(name.slice(begin.length))?.[1] ?? 0);
    if (pid > 0 && !isRunning(pid)) await rm(path.join(dir, name), { recursive: true, force: true });
  }
}

async function refuseFolder(output: string): Promise<void> {
  const found = await stat(output).catch(() => undefined);
  if (found?.isDirectory()) throw Object.assign(new Error('output is a folder'), { code: 'EISDIR' });
}

async function writeWhole(temporary: string, finished: string, mode: number): Promise<void> {
  // On another disk it has to be copied.
  await rename(finished, temporary).catch(() =>
    copyFile(finished, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE),
  );
  await using handle = await open(temporary, 'r+');
  await handle.sync();
  // The mode given to `open` went through the umask of the user: a runner is executable for everybody.
  await chmod(temporary, mode);
}

/** Replaces a text file that people keep, such as a manifest: whole or not at all. @throws UserError `FRB602` */
export async function writeTextFile(file: string, text: string): Promise<void> {
  const temporary = temporaryBeside(file);
  try {
    await refuseFolder(file);
    await writeFile(temporary, text, { flag: 'wx' });
    await rename(temporary, file);
  } catch (error) {
    const reason = diskProblem(error);
    if (reason === undefined) throw error;
    throw new UserError('FRB602', `${file} could not be written: ${reason}`, { cause: error });
  } finally {
    await rm(temporary, { force: true });
  }
}
