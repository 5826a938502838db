import { copyFile, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { UserError } from '../user-error.ts';
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
  /** Package name to the version that is used wherever it is wanted. */
  readonly overrides: Readonly<Record<string, string>>;
  /** Name in `dependencies` to a local tarball. Its spec is `file:tarballs/NAME`. */
  readonly tarballs: ReadonlyMap<string, string>;
}

/** One place in the tree, in npm's words. */
export interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
  readonly resolved?: string;
  readonly license?: string;
  readonly hasInstallScript?: boolean;
  readonly optional?: boolean;
  readonly [more: string]: unknown;
}

/** Every place in the tree, such as `node_modules/zod`. No place of this machine, no host of a registry. */
export type LockedPackages = Readonly<Record<string, LockedPackage>>;

const packageSchema = z.looseObject({
  version: z.string().exactOptional(),
  integrity: z.string().exactOptional(),
  resolved: z.string().exactOptional(),
  license: z.string().exactOptional().catch(''),
  hasInstallScript: z.boolean().exactOptional(),
  optional: z.boolean().exactOptional(),
});
/** What is found in a lock, as it was written. */
export const lockedPackages: z.ZodType<LockedPackages> = z.record(z.string(), packageSchema);
const npmLockSchema = z.object({ packages: lockedPackages });

// Raw facts about what is on disk: packages that run nothing on installation, checked peers, links left as links.
const flags = [
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
  '--omit-lockfile-registry-resolved',
  '--lockfile-version=3',
  '--fetch-retry-mintimeout=1000',
  '--fetch-retry-maxtimeout=5000',
];
// Stands for the folder of the tree, which is another one on every machine.
const here = '$TREE';
const ofNoUse = ['funding', 'engines', 'bin', 'inBundle', 'deprecated'];

/**
 * Lets npm decide which versions a request stands for, in a folder that is thrown away. What was locked before stays
 * where it still fits.
 *
 * @throws UserError `FRB304` to `FRB312`
 */
export async function lockTree(
  dir: string,
  request: TreeRequest,
  options: { readonly before?: LockedPackages | undefined; readonly npmFlags: readonly string[]; readonly npm: Npm },
  signal: AbortSignal,
): Promise<LockedPackages> {
  await layOut(dir, request, options.before);
  await runIn(dir, ['install', '--package-lock-only', ...flags, ...options.npmFlags], request, options.npm, signal);
  const text = await readFile(path.join(dir, 'package-lock.json'), 'utf8');
  const { packages } = npmLockSchema.parse(JSON.parse(text.replaceAll(JSON.stringify(dir).slice(1, -1), here)));
  const entries = Object.entries(packages)
    .filter(([place]) => place !== '')
    .map(([place, entry]) => [place, withoutThe(entry)] as const);
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

function withoutThe(entry: LockedPackage): LockedPackage {
  const kept = Object.entries(entry).filter(([key]) => !ofNoUse.includes(key));
  const { resolved, ...rest } = Object.fromEntries(kept) as LockedPackage;
  return resolved === undefined ? rest : { ...rest, resolved: resolved.replace(/^([a-z+]+:\/\/)[^/@]+@/i, '$1') };
}

/** Where npm gets what is locked. */
export interface InstallSource {
  readonly npm: Npm;
  /** Only what npm has in its own cache. */
  readonly isOffline: boolean;
  /** Place in the tree to the tarball that it is unpacked from, instead of asking a registry. */
  readonly tarballs: ReadonlyMap<string, string>;
}

/**
 * Installs exactly what is locked.
 *
 * @throws UserError `FRB305` when something is not what was locked, `FRB313` when it is not there and nobody may be asked.
 */
export async function installLocked(
  dir: string,
  request: TreeRequest,
  locked: LockedPackages,
  source: InstallSource,
  signal: AbortSignal,
): Promise<void> {
  const packages = Object.fromEntries(
    Object.entries(locked).map(([place, entry]) => {
      const tarball = source.tarballs.get(place);
      return [place, tarball === undefined ? entry : { ...entry, resolved: `file:${tarball}` }];
    }),
  );
  await layOut(dir, request, packages);
  // Not `--prefer-offline`: npm would look for a new version in what it remembers from before.
  const offline = source.isOffline ? ['--offline'] : [];
  await runIn(dir, ['ci', ...flags, ...offline], request, source.npm, signal);
}

/** Runs the install scripts of some packages, and of no other. @throws UserError `FRB309` */
export async function runScripts(dir: string, names: readonly string[], npm: Npm, signal: AbortSignal): Promise<void> {
  try {
    await npm.run(['rebuild', '--ignore-scripts=false', '--', ...names], dir, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw translateNpmFailure(error, `the install script of ${names.join(' or ')}`);
  }
}

async function layOut(dir: string, request: TreeRequest, locked: LockedPackages | undefined): Promise<void> {
  const { dependencies, standIns, overrides, tarballs } = request;
  const names = Object.keys(standIns);
  const packageJson = {
    name: 'forgejo-runner-build-tree',
    private: true,
    dependencies: {
      ...dependencies,
      // Absolute: npm takes a relative one from wherever in the tree the package is wanted.
      ...Object.fromEntries(names.map((name) => [name, `file:${path.join(dir, 'stand-ins', name)}`])),
    },
    overrides: { ...overrides, ...Object.fromEntries(names.map((name) => [name, `$${name}`])) },
  };
  for (const [name, version] of Object.entries(standIns)) {
    await mkdir(path.join(dir, 'stand-ins', name), { recursive: true });
    await writeFile(path.join(dir, 'stand-ins', name, 'package.json'), JSON.stringify({ name, version }));
  }
  for (const [name, file] of tarballs) {
    const target = path.join(dir, (dependencies[name] ?? '').replace(/^file:/, ''));
    await mkdir(path.dirname(target), { recursive: true });
    await copyFile(file, target);
  }
  await writeFile(path.join(dir, 'package.json'), JSON.stringify(packageJson, null, 2));
  if (locked === undefined) return;
  const { name, dependencies: all } = packageJson;
  const text = JSON.stringify({
    name,
    lockfileVersion: 3,
    requires: true,
    packages: { '': { name, dependencies: all }, ...locked },
  });
  await writeFile(path.join(dir, 'package-lock.json'), text.replaceAll(here, JSON.stringify(dir).slice(1, -1)));
}

async function runIn(
  dir: string,
  args: readonly string[],
  request: TreeRequest,
  npm: Npm,
  signal: AbortSignal,
): Promise<void> {
  // A link, not a copy: logins in it never lie in the cache.
  const config = path.join(dir, '.npmrc');
  if (npm.projectFile !== undefined) await symlink(npm.projectFile, config);
  try {
    await npm.run(args, dir, signal);
  } catch (error) {
    signal.throwIfAborted();
    const wanted = Object.entries(request.dependencies).map(([name, spec]) => `${name}@${spec}`);
    const translated = translateNpmFailure(error, wanted.join(', '));
    if (args.includes('--offline') && translated instanceof UserError && translated.code === 'FRB309')
      throw notHere(translated);
    throw translated;
  } finally {
    await rm(config, { force: true });
  }
}

function notHere(error: UserError): UserError {
  return new UserError('FRB313', `${error.message.replace(/: npm failed.*/s, '')}: not all of it is in the cache`, {
    cause: error,
    ...(error.details === undefined ? {} : { details: error.details }),
  });
}
