import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { quoted, UserError } from '../user-error.ts';

/** A file that can be checked. */
export interface CheckableFile {
  readonly kind: 'workflow' | 'action';
  readonly path: string;
  /** As messages name it: from the folder that was asked for. */
  readonly shown: string;
}

// An instance takes the first of these that there is.
const workflowFolders = ['.forgejo/workflows', '.gitea/workflows', '.github/workflows'];

/**
 * The workflows of a repository, and its actions wherever they lie, in the order of their names. Links are not followed:
 * a repository must not lead out of itself.
 *
 * @throws {UserError} `FRR102` where the folder cannot be read.
 */
export async function findCheckable(folder: string, signal: AbortSignal): Promise<readonly CheckableFile[]> {
  const found: CheckableFile[] = [];
  const workflows = new Map<string, CheckableFile[]>();
  const pending = [''];
  for (let below = pending.pop(); below !== undefined; below = pending.pop()) {
    signal.throwIfAborted();
    for (const entry of await list(folder, below)) {
      const shown = below === '' ? entry.name : `${below}/${entry.name}`;
      const path = join(folder, shown);
      if (entry.isDirectory()) {
        if (entry.name !== '.git' && entry.name !== 'node_modules') pending.push(shown);
      } else if (entry.isFile() && /\.ya?ml$/.test(entry.name)) {
        if (workflowFolders.includes(below)) {
          workflows.set(below, [...(workflows.get(below) ?? []), { kind: 'workflow', path, shown }]);
        } else if (/^action\.ya?ml$/.test(entry.name)) found.push({ kind: 'action', path, shown });
      }
    }
  }
  const first = workflowFolders.find((name) => workflows.has(name));
  if (first !== undefined) found.push(...(workflows.get(first) ?? []));
  return found.toSorted((a, b) => (a.shown < b.shown ? -1 : 1));
}

async function list(folder: string, below: string) {
  try {
    return await readdir(join(folder, below), { withFileTypes: true });
  } catch (error) {
    const found = (error as NodeJS.ErrnoException).code;
    const message = `expected a readable folder at ${quoted(join(folder, below))}, found ${found}`;
    throw new UserError('FRR102', { problems: [{ message }], cause: error });
  }
}
