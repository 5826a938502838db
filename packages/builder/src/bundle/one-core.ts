import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { OnResolveArgs, OnResolveResult, Plugin, PluginBuild } from 'esbuild';
import semver from 'semver';
import { coreName } from '../resolve/installation.ts';
import { readPackageJson } from '../resolve/package-json.ts';
import type { ResolvedPackage, Resolution } from '../resolve/resolved-package.ts';
import type { ServedApi } from '../resolve/served-api.ts';

/** A copy of the API, beside the one of the runner, that a package would have used. */
export interface OtherCore {
  readonly version: string;
  /** Name and version of the package that brought it. */
  readonly broughtBy: string;
  readonly isOtherMajor: boolean;
}

/** What {@link oneCore} found while it resolved. */
export interface OneCore {
  readonly plugin: Plugin;
  readonly others: () => readonly OtherCore[];
}

const skip = { isOneCore: true };

/**
 * Sends every import of the API, and of packages that were replaced, to the one copy that was chosen, and remembers
 * which other copies of the API were there. Other packages that are folders are found from where they are not installed.
 */
export function oneCore(resolution: Resolution, workDir: string): OneCore {
  const { core, folders } = resolution;
  const others = new Map<string, OtherCore>();
  const always = packageFilter(chosenNames(resolution));
  const setup = (build: PluginBuild): void => {
    build.onResolve({ filter: packageFilter([core.name, ...folders.keys()]) }, async (args) => {
      if (args.pluginData === skip || args.resolveDir === workDir) return undefined;
      const served = args.path.startsWith(coreName) ? await servedFor(args.importer, resolution) : undefined;
      const spoken = served === undefined ? core : { ...core, version: served.version };
      if (args.path.startsWith(coreName)) await noteOther(args, build, spoken, others);
      if (served !== undefined && args.path === coreName) {
        return resolveFrom(workDir, { ...args, path: coreName + served.export.slice(1) }, build);
      }
      if (!always.test(args.path) && (await resolveFrom(args.resolveDir, args, build)) !== undefined) return undefined;
      return resolveFrom(workDir, args, build);
    });
  };
  return { plugin: { name: 'one-core', setup }, others: () => [...others.values()] };
}

/** The older major that a module was written for: its package says so by the range that it wants, or is a backend of it. */
async function servedFor(importer: string, { backends, core }: Resolution): Promise<ServedApi | undefined> {
  const all = backends.flatMap((one) => one.served ?? []);
  if (all.length === 0) return undefined;
  const owner = await packageAround(importer);
  if (owner === undefined || owner.dir === core.dir) return undefined;
  const { peerDependencies, dependencies } = await readPackageJson(owner.dir);
  const range = peerDependencies?.[coreName] ?? dependencies?.[coreName];
  if (range === undefined) return backends.find((one) => one.dir === owner.dir)?.served;
  const isFor = (version: string): boolean => semver.satisfies(version, range, { includePrerelease: true });
  return isFor(core.version) ? undefined : all.find((one) => isFor(one.version));
}

/** Packages of which every import is the one copy that was chosen. */
export function chosenNames(resolution: Resolution): readonly string[] {
  return [resolution.core.name, ...resolution.replaced.map((one) => one.name)];
}

async function resolveFrom(
  resolveDir: string,
  args: OnResolveArgs,
  build: PluginBuild,
): Promise<OnResolveResult | undefined> {
  const found = await build.resolve(args.path, { resolveDir, kind: args.kind, pluginData: skip });
  return found.errors.length > 0 ? undefined : { path: found.path, sideEffects: found.sideEffects };
}

/** A filter for imports of these packages and their subpaths. */
export function packageFilter(names: readonly string[]): RegExp {
  const escaped = names.map((name) => name.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&'));
  return new RegExp(`^(?:${escaped.join('|')})(?:/|$)`);
}

async function noteOther(
  args: OnResolveArgs,
  build: PluginBuild,
  core: ResolvedPackage,
  others: Map<string, OtherCore>,
): Promise<void> {
  const own = await build.resolve(args.path, { resolveDir: args.resolveDir, kind: args.kind, pluginData: skip });
  if (own.errors.length > 0 || own.path.startsWith(core.dir + path.sep)) return;
  const copy = await packageAround(own.path);
  const importer = await packageAround(args.importer);
  if (copy === undefined || copy.dir === core.dir || others.has(copy.dir)) return;
  const isOtherMajor = semver.major(copy.version) !== semver.major(core.version);
  // Beside an author's package lies what its tests need: nobody else gets that copy.
  if (!isOtherMajor && importer !== undefined && (await isPeerOnly(importer.dir))) return;
  others.set(copy.dir, {
    version: copy.version,
    broughtBy: importer === undefined ? args.importer : `${importer.name}@${importer.version}`,
    isOtherMajor,
  });
}

/** Does a package name the API as a peer, and bring none itself? */
async function isPeerOnly(dir: string): Promise<boolean> {
  const { peerDependencies, dependencies, optionalDependencies } = await readPackageJson(dir);
  const isBrought = dependencies?.[coreName] !== undefined || optionalDependencies?.[coreName] !== undefined;
  return peerDependencies?.[coreName] !== undefined && !isBrought;
}

/** The package that a file belongs to: the nearest package.json with a name and a version. */
export async function packageAround(
  file: string,
): Promise<{ readonly dir: string; readonly name: string; readonly version: string } | undefined> {
  let dir = path.dirname(file);
  for (;;) {
    const text = await readFile(path.join(dir, 'package.json'), 'utf8').catch(() => undefined);
    const found = text === undefined ? undefined : (JSON.parse(text) as { name?: unknown; version?: unknown });
    if (typeof found?.name === 'string' && typeof found.version === 'string') {
      return { dir, name: found.name, version: found.version };
    }
    const parent = path.dirname(dir);
    if (parent === dir) return undefined;
    dir = parent;
  }
}
