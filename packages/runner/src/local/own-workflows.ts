import { readFile, realpath, stat } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import type { RepositoryWorkflows } from '../graph/called-workflow.ts';
import { shownPath } from '../shown-path.ts';
import { quoted, UserError } from '../user-error.ts';
import type { Workflow } from '../workflow/model.ts';
import { readStrictly } from './find-workflows.ts';

/** More than the YAML reader takes. */
const maxFileBytes = 1024 * 1024;

/**
 * The workflows of the folder that a local run works in, for jobs that call them. Messages name the files as seen from
 * `cwd`. `prepare` changes each as the workflow that the event starts was changed.
 */
export function ownWorkflows(folder: {
  readonly directory: string;
  readonly cwd: string;
  readonly prepare?: (workflow: Workflow) => Workflow;
}): RepositoryWorkflows {
  const { directory, cwd, prepare = (workflow) => workflow } = folder;
  const nameOf = (path: string): string => shownPath(resolve(directory, path), cwd).split(sep).join('/');
  return {
    nameOf,
    find: async (path) => {
      const text = await readText(directory, path, nameOf(path));
      return text === undefined ? undefined : prepare(readStrictly(text, nameOf(path)));
    },
  };
}

async function readText(directory: string, path: string, shown: string): Promise<string | undefined> {
  try {
    const file = await realpath(join(directory, path));
    if (relative(await realpath(directory), file).split(sep)[0] === '..')
      throw unreadable(shown, 'a link that leads out of the folder');
    const { size, isFile } = await factsOf(file);
    // A pipe or a device would never end.
    if (!isFile) throw unreadable(shown, 'something else');
    if (size > maxFileBytes) throw unreadable(shown, `one of more than ${maxFileBytes} bytes`);
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof UserError) throw error;
    const { code = '' } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw unreadable(shown, code, error);
  }
}

async function factsOf(file: string): Promise<{ readonly size: number; readonly isFile: boolean }> {
  const facts = await stat(file);
  return { size: facts.size, isFile: facts.isFile() };
}

function unreadable(shown: string, found: string, cause?: unknown): UserError {
  const message = `expected a readable file at ${quoted(shown)}, found ${found}`;
  return new UserError('FRR102', { problems: [{ message }], ...(cause === undefined ? {} : { cause }) });
}
