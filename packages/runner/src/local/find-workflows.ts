import type { Stats } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseWorkflow } from '../workflow/parse-workflow.ts';
import type { Workflow } from '../workflow/model.ts';
import { shownPath } from '../shown-path.ts';
import { type Problem, quoted, UserError } from '../user-error.ts';
import { shownProblems } from '../workflow/read-shape.ts';
import { strictCheckWorkflow } from '../workflow/strict-check.ts';
import { parseYaml } from '../workflow/yaml-source.ts';

interface FindOptions {
  /** Folders below as well. */
  readonly recurse: boolean;
  readonly cwd: string;
}

/**
 * Reads the workflow at a path, or all workflows of a folder, in the order of their names. Messages name the files as
 * seen from `cwd`.
 *
 * @throws UserError `FRR102` where there is nothing to read; the problems of all workflows at once where some are wrong.
 */
export async function findWorkflows(path: string, options: FindOptions): Promise<readonly Workflow[]> {
  const files = await workflowFiles(path, options);
  if (files.length === 0) {
    throw new UserError('FRR305', {
      problems: [
        { message: `expected workflows (.yml or .yaml) in ${quoted(shownPath(path, options.cwd))}, found none` },
      ],
      next: 'name a file or folder with --workflows',
    });
  }
  const workflows: Workflow[] = [];
  const wrong: UserError[] = [];
  for (const file of files) {
    try {
      workflows.push(readStrictly(await readFile(file, 'utf8'), shownPath(file, options.cwd)));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      wrong.push(error);
    }
  }
  const [first, ...others] = wrong;
  if (first === undefined) return workflows;
  const problems: Problem[] = [first, ...others].flatMap((error) => [...error.problems]);
  throw new UserError(first.code, {
    problems,
    ...(first.next === undefined ? {} : { next: first.next }),
    cause: first,
  });
}

/**
 * Nobody has checked a workflow before a local run, as a server does: a misspelt key or a wrong expression is told
 * before anything starts.
 */
export function readStrictly(text: string, file: string): Workflow {
  const problems = strictCheckWorkflow(text, file);
  if (problems.length === 0) return parseWorkflow(text, file);
  // What is no YAML has a code and a next step of its own.
  parseYaml(text, file);
  throw new UserError('FRR302', { problems: shownProblems(problems) });
}

async function workflowFiles(path: string, options: FindOptions): Promise<readonly string[]> {
  const found = await statOf(path, options.cwd);
  if (!found.isDirectory()) return [path];
  const files: string[] = [];
  for (const entry of (await readdir(path, { withFileTypes: true })).toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const below = join(path, entry.name);
    if (entry.isDirectory() && options.recurse) files.push(...(await workflowFiles(below, options)));
    else if (entry.isFile() && /\.ya?ml$/.test(entry.name)) files.push(below);
  }
  return files;
}

async function statOf(path: string, cwd: string): Promise<Stats> {
  try {
    return await stat(path);
  } catch (error) {
    throw new UserError('FRR102', {
      problems: [{ message: `expected a workflow file or folder at ${quoted(shownPath(path, cwd))}, found none` }],
      next: 'name one with --workflows',
      cause: error,
    });
  }
}
