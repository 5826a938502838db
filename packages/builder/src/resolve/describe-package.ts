import type { PackageSpec } from '../manifest/package-spec.ts';
import type { Store } from '../store/store.ts';
import { quoted, UserError } from '../user-error.ts';
import type { AgePolicy } from './release-age.ts';
import { requireCompatible } from './compatibility.ts';
import type { Installation } from './installation.ts';
import type { BuildLock } from './lock.ts';
import type { LockedPackages } from './npm-lock.ts';
import type { Npm } from './npm.ts';
import { type PackageField, readPackageField } from './package-field.ts';
import type { PackageJson } from './package-json.ts';
import { findVersionForApi } from './registry-view.ts';
import type { ResolvedBackend, ResolvedPackage } from './resolved-package.ts';
import type { ServedApi, SpokenApi } from './served-api.ts';

/** What resolving needs beside the manifest. */
export interface ResolveContext {
  readonly installation: Installation;
  readonly store: Store;
  /** The API of the core that was chosen. */
  readonly spokenApi: () => Promise<SpokenApi>;
  readonly npm: Npm;
  /** The folder that the user stands in. */
  readonly cwd: string;
  /** What was locked before: it is not asked for again. */
  readonly lock?: BuildLock | undefined;
  /** How old a version has to be before it is chosen. */
  readonly age?: AgePolicy;
  /** What the lock does not have is an error. */
  readonly isFrozen?: boolean;
  /** Nobody may be asked: what is not in the cache is an error. */
  readonly isOffline?: boolean;
  /** What was remembered of earlier builds does not count. */
  readonly isFresh?: boolean;
  /** Tarballs that lie beside the project, by place in the tree. */
  readonly vendored?: (locked: LockedPackages) => Promise<ReadonlyMap<string, string>>;
}

/** A package that was asked for. */
export interface Wanted {
  readonly spec: PackageSpec;
  readonly isBackend: boolean;
}

/** Where a package was found, and what it says about itself. */
export interface Found {
  readonly dir: string;
  readonly packageJson: PackageJson;
  readonly source: ResolvedPackage['source'];
  readonly spec?: string;
  readonly integrity?: string;
}

/** Says what was found, as a backend where it has to be one. @throws UserError `FRB203`, `FRB301` to `FRB303`, `FRB401`, `FRB408` */
export async function describePackage(
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
  const isInRegistry = entry.spec.kind === 'registry';
  const { field, served } = await checkedField(packageJson, isInRegistry, context, signal);
  const isSideEffectFree = packageJson.sideEffects !== undefined && packageJson.sideEffects !== true;
  const backend: ResolvedBackend = {
    ...resolved,
    field,
    isSideEffectFree,
    ...(served === undefined ? {} : { served }),
  };
  return backend;
}

/** The field of a package that can be in this runner. */
export async function checkedField(
  packageJson: Pick<PackageJson, 'name' | 'version' | 'dependencies' | 'peerDependencies' | 'forgejoRunner'>,
  isInRegistry: boolean,
  context: ResolveContext,
  signal: AbortSignal,
): Promise<{ readonly field: PackageField; readonly served: ServedApi | undefined }> {
  const { name, version, dependencies, peerDependencies } = packageJson;
  const field = readPackageField(packageJson.forgejoRunner, `${name}@${version}`);
  const served = await requireCompatible(
    { name, version, field, dependencies, peerDependencies },
    await context.spokenApi(),
    (of, api) => (isInRegistry ? findVersionForApi(of, api, context.npm, signal) : Promise.resolve(undefined)),
  );
  return { field, served };
}
