import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';

/** What a build rested on. */
export interface Inputs {
  /** Files that were bundled or checked. */
  readonly files: readonly string[];
  /** Folders of the packages that they belong to. */
  readonly packages: readonly string[];
  /** Left out: generated anew from the rest. */
  readonly workDir: string;
}

/**
 * All places that decide what a build makes: its files, the package.json of each package, and the folders in which
 * another file would be found instead. Trees in the cache never gain a file, so their folders are passed over.
 */
export async function placesOf(inputs: Inputs, cacheDir: string): Promise<readonly string[]> {
  const { packages, workDir } = inputs;
  const files = inputs.files.filter((file) => path.isAbsolute(file) && !isBelow(file, workDir) && existsSync(file));
  const isLocal = (place: string): boolean => !isBelow(place, cacheDir);
  const folders = new Set(files.filter(isLocal).map((file) => path.dirname(file)));
  const modules = await Promise.all([...folderChains(packages.filter(isLocal))].map(modulesIn));
  return [
    ...new Set([
      ...files,
      ...packages.filter((dir) => dir !== workDir).map((dir) => path.join(dir, 'package.json')),
      ...folders,
      ...modules.flat(),
    ]),
  ].toSorted();
}

function isBelow(place: string, dir: string): boolean {
  return place.startsWith(dir + path.sep);
}

/** The folders, and all folders above them. */
function folderChains(dirs: readonly string[]): ReadonlySet<string> {
  const all = new Set<string>();
  for (const dir of dirs) {
    for (let at = dir; !all.has(at); at = path.dirname(at)) all.add(at);
  }
  return all;
}

/** Where Node looks for packages in a folder, also when it is not there yet, with a folder for each scope. */
async function modulesIn(dir: string): Promise<readonly string[]> {
  const modules = path.join(dir, 'node_modules');
  const names = await readdir(modules).catch(() => []);
  return [modules, ...names.filter((name) => name.startsWith('@')).map((name) => path.join(modules, name))];
}
