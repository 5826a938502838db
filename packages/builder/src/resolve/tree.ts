import { keyOf, type Store } from '../store/store.ts';
import { installLocked, runScripts, type InstallSource, type LockedPackages, type TreeRequest } from './npm-lock.ts';

/** Installed packages, shared by all builds that need the same ones. */
export interface Tree {
  readonly dir: string;
  /** Name to checksum, as it was locked. */
  readonly integrity: ReadonlyMap<string, string>;
  /** Name to commit or file that was installed, as it was locked. */
  readonly resolved: ReadonlyMap<string, string>;
}

/** The key of a tree: everything that decides which bytes are in it. */
function treeKey(locked: LockedPackages, request: TreeRequest, scripts: readonly string[]): string {
  const node = process.versions.node.split('.', 1)[0];
  return keyOf('tree-2', locked, request.standIns, scripts, node, process.platform, process.arch);
}

/**
 * The tree of what is locked, installed into the store when it is not there yet.
 *
 * @throws UserError `FRB304` to `FRB313`
 */
export async function openTree(
  store: Store,
  request: TreeRequest,
  locked: LockedPackages,
  source: InstallSource & { readonly scripts: readonly string[] },
  signal: AbortSignal,
): Promise<Tree> {
  const { scripts } = source;
  const key = treeKey(locked, request, scripts);
  const make = async (temporary: string): Promise<void> => {
    await installLocked(temporary, request, locked, source, signal);
    if (scripts.length > 0) await runScripts(temporary, scripts, source.npm, signal);
  };
  const dir = await store.folder('trees', key, make, signal);
  return { dir, ...chosenIn(locked) };
}

function chosenIn(locked: LockedPackages): Pick<Tree, 'integrity' | 'resolved'> {
  const integrity = new Map<string, string>();
  const resolved = new Map<string, string>();
  for (const [place, entry] of Object.entries(locked)) {
    const name = /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(place)?.[1];
    if (name === undefined) continue;
    if (entry.integrity !== undefined) integrity.set(name, entry.integrity);
    if (entry.resolved !== undefined) resolved.set(name, entry.resolved);
  }
  return { integrity, resolved };
}

/** The name of the package at a place of a tree. */
export function nameAt(place: string): string {
  return place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
}

/** Packages that would run a script when they are installed. */
export function withScripts(locked: LockedPackages): readonly string[] {
  const names = Object.entries(locked).filter(([, entry]) => entry.hasInstallScript === true);
  return [...new Set(names.map(([at]) => nameAt(at)))].toSorted();
}
