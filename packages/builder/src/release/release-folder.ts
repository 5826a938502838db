import { lstat, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { diskProblem } from '../store/disk-problem.ts';
import { hashFile } from '../store/sums.ts';
import { sweepBeside, temporaryBeside } from '../store/write-output.ts';
import { UserError } from '../user-error.ts';

/** Name of the file with the checksums of all others, in the form of `sha256sum`. */
export const sumsName = 'SHA256SUMS';

/** One file of a release. */
export interface ReleasedFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

/**
 * Fills a folder: all of it or nothing. What was released into it before is replaced, anything else is left alone.
 * Checksums of what `fill` puts there come last.
 *
 * @throws UserError `FRB211` where files of somebody else lie, `FRB602`
 */
export async function writeReleaseFolder(
  output: string,
  fill: (draft: string) => Promise<void>,
): Promise<readonly ReleasedFile[]> {
  await requireOurs(output);
  const draft = temporaryBeside(output);
  try {
    await mkdir(path.dirname(output), { recursive: true });
    await sweepBeside(output);
    await mkdir(draft);
    await fill(draft);
    const files = await sumUp(draft);
    await replace(output, draft);
    return files;
  } catch (error) {
    const reason = diskProblem(error);
    if (reason === undefined) throw error;
    throw new UserError('FRB602', `${output} could not be written: ${reason}`, { cause: error });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function sumUp(draft: string): Promise<readonly ReleasedFile[]> {
  const files: ReleasedFile[] = [];
  for (const name of (await readdir(draft)).toSorted()) {
    const file = path.join(draft, name);
    const { size } = await lstat(file);
    files.push({ name, sizeBytes: size, sha256: await hashFile(file) });
  }
  await writeFile(path.join(draft, sumsName), files.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join(''));
  return files;
}

/** What lies there must be what was written there: somebody may have named the wrong folder. */
async function requireOurs(output: string): Promise<void> {
  const found = await lstat(output).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isDirectory()) throw new UserError('FRB211', `expected a folder or nothing at ${output}, found a file`);
  const sums = await readFile(path.join(output, sumsName), 'utf8').catch(() => '');
  const ours = new Set([sumsName, ...[...sums.matchAll(/^[0-9a-f]{64} {2}(.+)$/gm)].map(([, name]) => name)]);
  const foreign = (await readdir(output)).filter((name) => !ours.has(name));
  if (foreign.length === 0) return;
  const shown = `${foreign.slice(0, 3).join(', ')}${foreign.length > 3 ? ', …' : ''}`;
  throw new UserError('FRB211', `expected an earlier release or an empty folder at ${output}, found ${shown}`);
}

async function replace(output: string, draft: string): Promise<void> {
  const old = temporaryBeside(output);
  const isThere = await rename(output, old).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      return false;
    },
  );
  try {
    await rename(draft, output);
  } catch (error) {
    if (isThere) await rename(old, output);
    throw error;
  }
  await rm(old, { recursive: true, force: true });
}
