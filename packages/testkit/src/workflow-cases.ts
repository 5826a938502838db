import { readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { parseExpectation, type WorkflowExpectation } from './workflow-expectation.ts';

/**
 * A small workflow and what must come of it, for any backend. Run it in a repository with {@link files}, on a runner
 * whose only label is `test`, and compare with `checkWorkflowRun`.
 */
export interface WorkflowCase extends WorkflowExpectation {
  /** Topic and name, such as `env/step-wins`. */
  readonly name: string;
  /** Path of the workflow in the repository. */
  readonly workflow: string;
  /** Every file of the repository by its path: the workflow, and the local actions that cases share. */
  readonly files: Readonly<Record<string, string>>;
}

const folder = join(import.meta.dirname, '..', 'workflows');

/**
 * Reads the cases that come with this package. `needs` of a case lists what it cannot do without:
 *
 * - `bash`, `python`, `node`, `pwsh`: that program on the search path of the environment.
 * - `no-bash`: an environment without it.
 * - `no-containers`: a backend that runs no containers.
 * - `containers`: one that runs all kinds of them on an engine with the images of `e2e/images`, and whose label `test` is
 *   the image `debian` of these.
 * - `posix`: a POSIX shell and the usual small tools.
 *
 * @throws Error that names the file and line of an expectation that cannot be read, or the workflow that has none.
 */
export function loadWorkflowCases(): readonly WorkflowCase[] {
  const names = listFiles(folder);
  const shared: Record<string, string> = {};
  for (const name of names.filter((name) => name.startsWith('repository/'))) {
    shared[name.slice('repository/'.length)] = readFileSync(join(folder, name), 'utf8');
  }
  const workflows = names.filter((name) => name.endsWith('.yml') && !name.startsWith('repository/'));
  return workflows.map((file) => loadCase(file.slice(0, -'.yml'.length), shared));
}

function loadCase(name: string, shared: Readonly<Record<string, string>>): WorkflowCase {
  const file = join(folder, `${name}.expect`);
  const workflow = '.forgejo/workflows/case.yml';
  const text = readFileSync(join(folder, `${name}.yml`), 'utf8');
  return {
    name,
    workflow,
    files: { ...shared, [workflow]: text },
    ...parseExpectation(readFileSync(file, 'utf8'), `${name}.expect`),
  };
}

function listFiles(root: string): readonly string[] {
  return readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .toSorted();
}
