import semver from 'semver';
import { gather } from './gather.ts';
import type { BuildLock } from './lock.ts';
import type { Npm } from './npm.ts';
import { viewPackage } from './registry-view.ts';

/** A request whose package has a newer version than the locked one. */
export interface Outdated {
  readonly name: string;
  readonly request: string;
  readonly locked: string;
  /** What `update` would choose. */
  readonly wanted: string;
  /** What the author calls the latest. */
  readonly latest: string;
}

/** Asks the registry for newer versions of what was asked for by name. @throws UserError `FRB304`, `FRB307`, `FRB310` */
export async function findOutdated(lock: BuildLock, npm: Npm, signal: AbortSignal): Promise<readonly Outdated[]> {
  const fromRegistry = lock.requests.filter((one) => semver.valid(one.spec) !== null);
  const all = await gather(fromRegistry, async ({ name, request, spec }) => {
    const [wanted, latest] = await Promise.all([viewPackage(request, npm, signal), viewPackage(name, npm, signal)]);
    return { name, request, locked: spec, wanted: wanted.version, latest: latest.version };
  });
  return all.filter((one) => one.locked !== one.wanted || semver.lt(one.locked, one.latest));
}

/** Why a package is in the tree: the chain of packages from each request that leads to it, as `name@version`. */
export function whyInstalled(name: string, lock: BuildLock): readonly (readonly string[])[] {
  const places = Object.entries(lock.packages);
  const title = (at: string): string => `${nameOf(at)}@${lock.packages[at]?.version ?? 'unknown'}`;
  const chains: string[][] = [];
  const visit = (at: string, above: readonly string[]): void => {
    if (above.includes(at) || chains.length >= 50) return;
    const chain = [...above, at];
    if (nameOf(at) === name) chains.push(chain.map(title));
    else for (const inner of neededBy(at, lock)) visit(inner, chain);
  };
  for (const { name: root } of lock.requests) {
    if (places.some(([at]) => at === `node_modules/${root}`)) visit(`node_modules/${root}`, []);
  }
  return chains;
}

function neededBy(at: string, lock: BuildLock): readonly string[] {
  const entry = lock.packages[at] ?? {};
  const lists = [entry['dependencies'], entry['optionalDependencies'], entry['peerDependencies']];
  const names = lists.flatMap((list) => Object.keys((list ?? {}) as Readonly<Record<string, string>>));
  return names.flatMap((name) => findFrom(at, name, lock) ?? []);
}

/** The place that Node would find a package at from another place. */
function findFrom(at: string, name: string, lock: BuildLock): string | undefined {
  let dir = at;
  for (;;) {
    const place = `${dir === '' ? '' : `${dir}/`}node_modules/${name}`;
    if (lock.packages[place] !== undefined) return place;
    if (dir === '') return undefined;
    const up = dir.lastIndexOf('/node_modules/');
    dir = up === -1 ? '' : dir.slice(0, up);
  }
}

function nameOf(at: string): string {
  return at.slice(at.lastIndexOf('node_modules/') + 'node_modules/'.length);
}
