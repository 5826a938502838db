import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Resolution } from '../resolve/resolved-package.ts';
import type { EntryFiles } from './entry-source.ts';

/**
 * Lays out the folder that is bundled or run: the generated files, and a `node_modules` with a link for each package
 * that was chosen, so that bundler, type checker and Node find them by the same rule.
 */
export async function layOutPackages(dir: string, resolution: Resolution): Promise<void> {
  const { core, runner, backends, replaced, folders } = resolution;
  const chosen = [...replaced, ...backends, runner, core].map((one) => [one.name, one.dir] as const);
  const byName = new Map([...folders, ...chosen]);
  for (const [name, target] of byName) {
    const link = path.join(dir, 'node_modules', name);
    await mkdir(path.dirname(link), { recursive: true });
    await symlink(target, link, process.platform === 'win32' ? 'junction' : 'dir');
  }
}

/** Writes generated files into the work folder. */
export async function writeEntry(dir: string, files: EntryFiles, buildInfo: object): Promise<void> {
  const all = { ...files, 'build-info.json': `${JSON.stringify(buildInfo, null, 2)}\n` };
  await Promise.all(Object.entries(all).map(([name, text]) => writeFile(path.join(dir, name), text)));
}
