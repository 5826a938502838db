import path from 'node:path';
import { z } from 'zod';
import { defaultBackends, type Manifest } from '../manifest/manifest.ts';
import type { PackageSpec } from '../manifest/package-spec.ts';
import type { Store } from '../store/store.ts';
import { quoted, throwAll, UserError, UserErrors } from '../user-error.ts';
import { requireCompatible } from './compatibility.ts';
import { coreName, type Installation, officialPackages, runnerName } from './installation.ts';
import type { Npm } from './npm.ts';
import { type PackageField, readPackageField } from './package-field.ts';
import { type PackageJson, readPackageJson, realFolder } from './package-json.ts';
import { type Pinned, pinSpec, type RemoteSpec, viewSpec } from './pin.ts';
import { findVersionForApi, viewPackage } from './registry-view.ts';
import { readTarball } from './tarball.ts';
import { findTree, installTree, type Tree, treeKey } from './tree.ts';

/** A package of the runner, with the folder that it lies in. */
export interface ResolvedPackage {
  readonly name: string;
  readonly version: string;
  /** Real folder, without links on the way. */
  readonly dir: string;
  readonly source: 'registry' | 'path' | 'tarball' | 'git';
  /** What was asked for, where it says something to others: a range, a URL. Never a path. */
  readonly spec?: string;
  readonly integrity?: string;
}

/** A backend package with what it declares. */
export interface ResolvedBackend extends ResolvedPackage {
  readonly field: PackageField;
  /** Its package.json says that some of its modules may be left out when nothing of them is used. */
  readonly isSideEffectFree: boolean;
}

/** All packages that were chosen by name, found. Their own dependencies lie where Node looks for them. */
export interface Resolution {
  readonly core: ResolvedPackage;
  readonly runner: ResolvedPackage;
  readonly backends: readonly ResolvedBackend[];
  /** Packages that a folder stands in for, wherever they are imported. */
  readonly replaced: readonly ResolvedPackage[];
  /**
   * Name to folder of all packages that are folders, chosen or provided by a checkout. Their sources are used where
   * their exports name them, and they are found from packages that do not have them installed.
   */
  readonly folders: ReadonlyMap<string, string>;
  /** Runner and API as they were released, nothing replaced. */
  readonly isOfficial: boolean;
}

/** What resolving needs beside the manifest. */
export interface ResolveContext {
  readonly installation: Installation;
  readonly store: Store;
  readonly npm: Npm;
  /** The folder that the user stands in. */
  readonly cwd: string;
}

interface Wanted {
  readonly spec: PackageSpec;
  readonly isBackend: boolean;
}

/**
 * Finds every package of a manifest, asks npm for those that are not folders, and refuses what cannot work before it is
 * installed.
 *
 * @throws UserError, or UserErrors with all that is wrong.
 */
export async function resolvePackages(
  manifest: Manifest,
  context: ResolveContext,
  signal: AbortSignal,
): Promise<Resolution> {
  const { version } = context.installation;
  const wanted: Wanted[] = [
    ...[coreName, runnerName].map((name) => ({
      spec: { kind: 'registry' as const, name, range: version, text: `${name}@${version}` },
      isBackend: false,
    })),
    ...manifest.backends.map((spec) => ({ spec, isBackend: true })),
  ].map((entry) => ({ ...entry, spec: redirect(entry.spec, manifest, context.installation) }));
  const local = await gather(wanted, (entry) => resolveLocal(entry, context, signal));
  const remote = await resolveRemote(wanted.filter(isRemote), manifest, context, signal);
  const found = wanted.map((entry, index) => local[index] ?? remote.get(entry.spec));
  const [core, runner, ...backends] = found as [ResolvedPackage, ResolvedPackage, ...ResolvedBackend[]];
  const replaced = await resolveReplaced(manifest);
  const isReleased = [core, runner].every((one) => one.source === 'registry' && one.version === version);
  const kept = withoutTwins(backends);
  return {
    core,
    runner,
    backends: kept,
    replaced,
    folders: await foldersOf([core, runner, ...kept, ...replaced], manifest, context.installation),
    isOfficial: isReleased && manifest.replacements.size === 0,
  };
}

async function foldersOf(
  packages: readonly ResolvedPackage[],
  manifest: Manifest,
  installation: Installation,
): Promise<ReadonlyMap<string, string>> {
  const common = await folderPackages(manifest, installation);
  const chosen = packages.filter((one) => one.source === 'path').map((one) => [one.name, one.dir] as const);
  return new Map([...common, ...chosen]);
}

/** A default backend gives way to the same package from elsewhere. Any other package may be named once. */
function withoutTwins(backends: readonly ResolvedBackend[]): readonly ResolvedBackend[] {
  return backends.filter((backend, index) => {
    const later = backends.slice(index + 1).find((other) => other.name === backend.name);
    if (later === undefined) return true;
    if (Object.values(defaultBackends).includes(backend.name) || later.dir === backend.dir) return false;
    throw new UserError('FRB407', `${backend.name} is named twice: ${backend.version} and ${later.version}`, {
      next: 'name it once',
    });
  });
}

/** A replaced package, and an official one when we run from a checkout, is a folder whatever was asked for. */
function redirect(spec: PackageSpec, manifest: Manifest, installation: Installation): PackageSpec {
  if (spec.kind !== 'registry') return spec;
  const { name, text } = spec;
  const replacement = manifest.replacements.get(name);
  if (replacement !== undefined) return { kind: 'path', name, path: replacement, text };
  const folder = checkoutFolder(name, installation);
  const isOurs = spec.range === installation.version || spec.range === 'latest';
  return folder !== undefined && isOurs ? { kind: 'path', name, path: folder, text } : spec;
}

function checkoutFolder(name: string, installation: Installation): string | undefined {
  const folder = Object.hasOwn(officialPackages, name) ? officialPackages[name] : undefined;
  return folder === undefined || installation.checkout === undefined
    ? undefined
    : path.join(installation.checkout, folder);
}

function isRemote(entry: Wanted): entry is Wanted & { readonly spec: RemoteSpec } {
  return entry.spec.kind !== 'path';
}

async function resolveLocal(
  entry: Wanted,
  context: ResolveContext,
  signal: AbortSignal,
): Promise<ResolvedPackage | undefined> {
  if (entry.spec.kind !== 'path') return undefined;
  const dir = await realFolder(entry.spec.path);
  const packageJson = await readPackageJson(dir);
  return describe(entry, { dir, packageJson, source: 'path' }, context, signal);
}

interface Found {
  readonly dir: string;
  readonly packageJson: PackageJson;
  readonly source: ResolvedPackage['source'];
  readonly spec?: string;
  readonly integrity?: string;
}

async function describe(
  entry: Wanted,
  found: Found,
  context: ResolveContext,
  signal: AbortSignal,
): Promise<ResolvedPackage> {
  const { packageJson, ...place } = found;
  const { name, version } = packageJson;
  if (entry.spec.name !== undefined && entry.spec.name !== name) {
    throw new UserError('FRB203', `${quoted(entry.spec.text)}: expected package ${entry.spec.name}, found ${name}`);
  }
  const resolved: ResolvedPackage = { name, version, ...place };
  if (!entry.isBackend) return resolved;
  const field = await checkedField(packageJson, entry.spec.kind === 'registry', context, signal);
  const isSideEffectFree = packageJson.sideEffects !== undefined && packageJson.sideEffects !== true;
  const backend: ResolvedBackend = { ...resolved, field, isSideEffectFree };
  return backend;
}

async function checkedField(
  packageJson: Pick<PackageJson, 'name' | 'version' | 'dependencies' | 'peerDependencies' | 'forgejoRunner'>,
  isInRegistry: boolean,
  context: ResolveContext,
  signal: AbortSignal,
): Promise<PackageField> {
  const { name, version, dependencies, peerDependencies } = packageJson;
  const field = readPackageField(packageJson.forgejoRunner, `${name}@${version}`);
  await requireCompatible(
    { name, version, field, dependencies, peerDependencies },
    context.installation.version,
    (of, api) => (isInRegistry ? findVersionForApi(of, api, context.npm, signal) : Promise.resolve(undefined)),
  );
  return field;
}

async function resolveRemote(
  wanted: readonly (Wanted & { readonly spec: RemoteSpec })[],
  manifest: Manifest,
  context: ResolveContext,
  signal: AbortSignal,
): Promise<ReadonlyMap<PackageSpec, ResolvedPackage>> {
  if (wanted.length === 0) return new Map();
  const pinned = await gather(wanted, (entry) => pinSpec(entry.spec, context.npm, signal));
  const standIns = await versionsOf(await folderPackages(manifest, context.installation));
  const key = treeKey(
    pinned.map((pin) => pin.identity),
    standIns,
  );
  const present = await findTree(context.store, key);
  const names = await nameAll(wanted, pinned, present, key, context, signal);
  const dependencies = Object.fromEntries(names.map((name, index) => [name, pinned[index]?.npmSpec ?? '']));
  const tree = present ?? (await installTree(context.store, key, { dependencies, standIns }, context.npm, signal));
  const described = await gather(wanted, async (entry) => {
    const name = names[wanted.indexOf(entry)] ?? '';
    const found = await findInTree(tree, name, entry.spec);
    return describe(entry, found, context, signal);
  });
  return new Map(wanted.map((entry, index) => [entry.spec, described[index] as ResolvedPackage]));
}

const recordedNames = z.record(z.string(), z.string());

/** The name of each package. Before anything is installed this looks at all of them, so that our errors come first. */
async function nameAll(
  wanted: readonly (Wanted & { readonly spec: RemoteSpec })[],
  pinned: readonly Pinned[],
  present: Tree | undefined,
  key: string,
  context: ResolveContext,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const recorded = present === undefined ? undefined : await context.store.readJson('trees', `${key}-names`);
  const known = recordedNames.safeParse(recorded);
  const earlier = known.success ? pinned.map((pin) => known.data[pin.identity]) : [];
  if (earlier.length > 0 && earlier.every((name) => name !== undefined)) return earlier;
  const names = await gather(wanted, async (entry) => {
    const pin = pinned[wanted.indexOf(entry)] as Pinned;
    const viewed = pin.viewed ?? (await lookAt(entry.spec, pin, context.npm, signal));
    if (entry.isBackend) await checkedField(viewed, entry.spec.kind === 'registry', context, signal);
    return viewed.name;
  });
  const record = Object.fromEntries(pinned.map((pin, index) => [pin.identity, names[index] ?? '']));
  await context.store.writeJson('trees', `${key}-names`, record);
  return names;
}

/** A local tarball is read, everything else is asked for. */
async function lookAt(spec: RemoteSpec, pin: Pinned, npm: Npm, signal: AbortSignal): Promise<PackageJson> {
  const isLocal = spec.kind === 'tarball' && !/^https?:/.test(spec.location);
  return isLocal ? readTarball(spec.location) : viewPackage(viewSpec(spec, pin), npm, signal);
}

/** Packages that are folders whoever asks for them: what is replaced, and all that is ours when we run from a checkout. */
async function folderPackages(manifest: Manifest, installation: Installation): Promise<ReadonlyMap<string, string>> {
  const folders = new Map<string, string>();
  for (const name of Object.keys(officialPackages)) {
    const folder = checkoutFolder(name, installation);
    if (folder !== undefined) folders.set(name, await realFolder(folder));
  }
  for (const [name, folder] of manifest.replacements) folders.set(name, await realFolder(folder));
  return folders;
}

async function versionsOf(folders: ReadonlyMap<string, string>): Promise<Readonly<Record<string, string>>> {
  const entries = [...folders].map(async ([name, dir]) => [name, (await readPackageJson(dir)).version] as const);
  return Object.fromEntries(await Promise.all(entries));
}

async function findInTree(tree: Tree, name: string, spec: RemoteSpec): Promise<Found> {
  const dir = await realFolder(path.join(tree.dir, 'node_modules', name));
  const packageJson = await readPackageJson(dir);
  const integrity = tree.integrity.get(name);
  const said = publicSpec(spec, tree.resolved.get(name));
  return {
    dir,
    packageJson,
    source: spec.kind,
    ...(said === undefined ? {} : { spec: said }),
    ...(integrity === undefined ? {} : { integrity }),
  };
}

function withoutLogin(url: string): string {
  return url.replace(/^([a-z+]+:\/\/)[^/@]+@/i, '$1');
}

function publicSpec(spec: RemoteSpec, resolved: string | undefined): string | undefined {
  if (spec.kind === 'registry') return spec.range;
  if (spec.kind === 'git') return spec.url.startsWith('git+file:') ? undefined : withoutLogin(resolved ?? spec.url);
  return /^https?:/.test(spec.location) ? withoutLogin(spec.location) : undefined;
}

async function resolveReplaced(manifest: Manifest): Promise<readonly ResolvedPackage[]> {
  return gather([...manifest.replacements], async ([name, folder]) => {
    const dir = await realFolder(folder);
    const packageJson = await readPackageJson(dir);
    if (packageJson.name !== name) {
      throw new UserError('FRB203', `--replace ${name}: expected package ${name}, found ${packageJson.name}`, {
        where: dir,
      });
    }
    return { name, version: packageJson.version, dir, source: 'path' as const };
  });
}

/** Does all at once and reports all that went wrong, not only the first. */
async function gather<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<readonly R[]> {
  const settled = await Promise.allSettled(items.map(work));
  const failed = settled.filter((one) => one.status === 'rejected').map((one) => one.reason as unknown);
  const ours = failed.flatMap((error) =>
    error instanceof UserErrors ? error.errors : error instanceof UserError ? [error] : [],
  );
  const other = failed.find((error) => !(error instanceof UserError || error instanceof UserErrors));
  if (other !== undefined) throw other;
  throwAll(ours);
  return settled.map((one) => (one as PromiseFulfilledResult<R>).value);
}
