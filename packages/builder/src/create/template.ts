import { randomUUID } from 'node:crypto';
import { lstat, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { diskProblem } from '../store/disk-problem.ts';
import { UserError } from '../user-error.ts';

/** A template and what stands for what in it. */
export interface FilledTemplate {
  /** Folder of the template. */
  readonly from: string;
  /** Folder to make: not there yet, or empty. */
  readonly to: string;
  /** Words of the template, such as `__ID__`, to what is written instead. */
  readonly words: Readonly<Record<string, string>>;
}

/**
 * Makes a folder from a template: all of it or nothing. Returns the files, relative to the folder. In a template the
 * name of a file that tools would take for their own begins with `_`.
 *
 * @throws UserError `FRB103` where something lies already, `FRB602` where it cannot be written.
 */
export async function fillTemplate({ from, to, words }: FilledTemplate): Promise<readonly string[]> {
  await requireEmpty(to);
  const draft = path.join(path.dirname(to), `.${path.basename(to)}.${randomUUID().slice(0, 8)}.tmp`);
  try {
    await mkdir(draft, { recursive: true });
    const files = await templateFiles(from);
    for (const file of files) {
      const target = path.join(draft, shownName(file));
      await mkdir(path.dirname(target), { recursive: true });
      await writeFile(target, filled(await readFile(path.join(from, file), 'utf8'), words));
    }
    // Onto an empty folder this is one step as well.
    await rename(draft, to);
    return files.map(shownName).toSorted();
  } catch (error) {
    const reason = diskProblem(error);
    if (reason === undefined) throw error;
    throw new UserError('FRB602', `${to} could not be written: ${reason}`, { cause: error });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

async function requireEmpty(folder: string): Promise<void> {
  const found = await lstat(folder).catch(() => undefined);
  if (found === undefined) return;
  const names = found.isDirectory() ? await readdir(folder) : undefined;
  if (names?.length === 0) return;
  const what = names === undefined ? 'a file' : `${names.slice(0, 3).join(', ')}${names.length > 3 ? ', …' : ''}`;
  throw new UserError('FRB103', `expected an empty folder or none at ${folder}, found ${what}`);
}

async function templateFiles(from: string): Promise<readonly string[]> {
  const entries = await readdir(from, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(from, path.join(entry.parentPath, entry.name)))
    .toSorted();
}

function shownName(file: string): string {
  const { dir, base } = path.parse(file);
  const name = base.startsWith('_') ? base.slice(1) : base;
  return path.join(dir, dottedNames.has(name) ? `.${name}` : name);
}

/** npm leaves these out of a package, or linters take them for their own, where they begin with a dot. */
const dottedNames: ReadonlySet<string> = new Set(['gitignore', 'oxlintrc.json']);

function filled(text: string, words: Readonly<Record<string, string>>): string {
  return text.replaceAll(/__[A-Z_]+?__/g, (word) => {
    const value = words[word];
    if (value === undefined) throw new Error(`a template has the word ${word}, which stands for nothing`);
    return value;
  });
}
