import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { keyOf, type Store } from '../store/store.ts';
import type { Npm } from './npm.ts';
import { translateNpmFailure } from './npm-errors.ts';

/** What is to be installed together. */
export interface TreeRequest {
  /** Package name to npm's spec. */
  readonly dependencies: Readonly<Record<string, string>>;
  /**
   * Package name to the version of a folder that will be used instead, wherever in the tree it is wanted. npm gets an
   * empty package of that name and version, so that it checks peers and asks no registry. (A link to the folder made
   * npm 11 fail on peers: "Cannot read properties of null".)
   */
  readonly standIns: Readonly<Record<string, string>>;
}

/** Installed packages, shared by all builds that need the same ones. */
export interface Tree {
  readonly dir: string;
  /** Name to checksum, as npm recorded it. */
  readonly integrity: ReadonlyMap<string, string>;
  /** Name to commit or file that was installed, as npm recorded it. */
  readonly resolved: ReadonlyMap<string, string>;
}

// Raw facts about what is on disk: packages that run nothing on installation, checked peers, links left as links.
const installFlags = [
  '--ignore-scripts',
  '--strict-peer-deps',
  '--legacy-peer-deps=false',
  '--force=false',
  // Only the empty packages are folders here.
  '--install-links=true',
  '--install-strategy=hoisted',
  '--omit=dev',
  '--global=false',
  '--workspaces=false',
  '--package-lock=true',
  '--dry-run=false',
  '--fetch-retry-mintimeout=1000',
  '--fetch-retry-maxtimeout=5000',
];

/** The key of a tree: what goes in, and what npm's choice depends on beside it. */
export function treeKey(identities: readonly string[], standIns: Readonly<Record<string, string>>): string {
  const node = process.versions.node.split('.', 1)[0];
  const inPlace = Object.entries(standIns).map((one) => one.join('@'));
  return keyOf('tree-1', identities.toSorted(), inPlace.toSorted(), node, process.platform, process.arch);
}

/** The tree of a key, if a build before this one installed it. */
export async function findTree(store: Store, key: string): Promise<Tree | undefined> {
  const dir = await store.findFolder('trees', key);
  return dir === undefined ? undefined : readTree(dir);
}

/**
 * Installs packages into the store, once per key.
 *
 * @throws UserError `FRB304` to `FRB312`, for `wanted`, the packages that were asked for.
 */
export async function installTree(
  store: Store,
  key: string,
  request: TreeRequest,
  npm: Npm,
  signal: AbortSignal,
): Promise<Tree> {
  const dir = await store.folder('trees', key, (temporary) => install(temporary, request, npm, signal), signal);
  return readTree(dir);
}

async function install(dir: string, request: TreeRequest, npm: Npm, signal: AbortSignal): Promise<void> {
  const names = Object.keys(request.standIns);
  // Absolute: npm takes a relative one from wherever in the tree the package is wanted.
  const packageJson = {
    name: 'forgejo-runner-build-tree',
    private: true,
    dependencies: {
      ...request.dependencies,
      ...Object.fromEntries(names.map((name) => [name, `file:${path.join(dir, 'stand-ins', name)}`])),
    },
    overrides: Object.fromEntries(names.map((name) => [name, `$${name}`])),
  };
  for (const [name, version] of Object.entries(request.standIns)) {
    await mkdir(path.join(dir, 'stand-ins', name), { recursive: true });
    await writeFile(path.join(dir, 'stand-ins', name, 'package.json'), JSON.stringify({ name, version }));
  }
  await writeFile(path.join(dir, 'package.json'), JSON.stringify(packageJson, null, 2));
  // A link, not a copy: logins in it never lie in the cache.
  const config = path.join(dir, '.npmrc');
  if (npm.projectFile !== undefined) await symlink(npm.projectFile, config);
  try {
    await npm.run(['install', ...installFlags], dir, signal);
  } catch (error) {
    signal.throwIfAborted();
    const wanted = Object.entries(request.dependencies).map(([name, spec]) => `${name}@${spec}`);
    throw translateNpmFailure(error, wanted.join(', '));
  } finally {
    await rm(config, { force: true });
  }
}

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.looseObject({ integrity: z.string().exactOptional(), resolved: z.string().exactOptional() }),
  ),
});

async function readTree(dir: string): Promise<Tree> {
  const integrity = new Map<string, string>();
  const resolved = new Map<string, string>();
  const text = await readFile(path.join(dir, 'node_modules', '.package-lock.json'), 'utf8').catch(() => undefined);
  const lock = text === undefined ? undefined : lockSchema.parse(JSON.parse(text));
  for (const [place, entry] of Object.entries(lock?.packages ?? {})) {
    const name = /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(place)?.[1];
    if (name === undefined) continue;
    if (entry.integrity !== undefined) integrity.set(name, entry.integrity);
    if (entry.resolved !== undefined) resolved.set(name, entry.resolved);
  }
  return { dir, integrity, resolved };
}
