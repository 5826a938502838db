import { readdir, stat, symlink } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { openTempFolder, type TempFolder } from '@forgejo-runner/testkit';

export { runWorkflowCase as runCase } from '@forgejo-runner/testkit';

/** Is there a program of this name on a search path? */
export async function isOnPath(name: string, path: string): Promise<boolean> {
  for (const folder of path.split(delimiter)) {
    const found = await stat(join(folder, name)).catch(() => undefined);
    if (found?.isFile() === true) return true;
  }
  return false;
}

/** A folder to stand for a search path: it has every program of the given one but those. */
export async function pathWithout(names: readonly string[], path: string): Promise<TempFolder> {
  const folder = await openTempFolder('forgejo-runner-path-');
  for (const from of path.split(delimiter)) {
    for (const name of await readdir(from).catch(() => [])) {
      // The first of a name is the one that is found.
      if (!names.includes(name)) await symlink(join(from, name), folder.join(name)).catch(() => {});
    }
  }
  return folder;
}
