import { lockedBases } from '../package/node-bases.ts';
import { defaultBackends } from '../manifest/layer.ts';
import type { Manifest } from '../manifest/manifest.ts';
import type { PackageSpec } from '../manifest/package-spec.ts';
import { UserError } from '../user-error.ts';
import { describePackage, type ResolveContext, type Wanted } from './describe-package.ts';
import { checkoutFolder, folderPackages, versionsOf } from './folder-packages.ts';
import { gather } from './gather.ts';
import { coreName, type Installation, runnerName } from './installation.ts';
import { readPackageJson, realFolder } from './package-json.ts';
import { type BuildLock, currentTools } from './lock.ts';
import { isRemote, resolveRemote } from './resolve-remote.ts';
import type { Resolution, ResolvedBackend, ResolvedPackage } from './resolved-package.ts';
import { readServed, servedByRelease, type SpokenApi } from './served-api.ts';

/**
 * Finds every package of a manifest, asks npm for those that are not folders, and refuses what cannot work before it is
 * installed.
 *
 * @throws UserError, or UserErrors with all that is wrong.
 */
export async function resolvePackages(
  manifest: Manifest,
  given: Omit<ResolveContext, 'spokenApi'>,
  signal: AbortSignal,
): Promise<Resolution> {
  const { version } = given.installation;
  const wanted: Wanted[] = [
    ...[coreName, runnerName].map((name) => ({
      spec: { kind: 'registry' as const, name, range: version, text: `${name}@${version}` },
      isBackend: false,
    })),
    ...manifest.backends.map((spec) => ({ spec, isBackend: true })),
  ].map((entry) => ({ ...entry, spec: redirect(entry.spec, manifest, given.installation) }));
  const context: ResolveContext = { ...given, spokenApi: spokenApi(wanted[0]?.spec, given) };
  const local = await gather(wanted, (entry) => resolveLocal(entry, context, signal));
  const remote = await resolveRemote(wanted.filter(isRemote), manifest, context, signal);
  const found = wanted.map((entry, index) => local[index] ?? remote.packages.get(entry.spec));
  const [core, runner, ...backends] = found as [ResolvedPackage, ResolvedPackage, ...ResolvedBackend[]];
  const replaced = await resolveReplaced(manifest);
  const isReleased = [core, runner].every((one) => one.source === 'registry' && one.version === version);
  const kept = withoutTwins(backends);
  const lock: BuildLock = {
    lockVersion: 1,
    tools: currentTools(version),
    api: core.version,
    backends: kept.map((one) => one.name),
    requests: remote.requests,
    folders: await versionsOf(await folderPackages(manifest, context.installation)),
    overrides: Object.fromEntries(manifest.overrides),
    bases: lockedBases(),
    packages: remote.locked,
  };
  return {
    lock,
    core,
    runner,
    backends: kept,
    replaced,
    folders: await foldersOf([core, runner, ...kept, ...replaced], manifest, context.installation),
    isOfficial: isReleased && manifest.replacements.size === 0,
  };
}

/** The API of the core that was chosen: a folder says it itself, a release is the builder's own. Looked up once. */
function spokenApi(
  spec: PackageSpec | undefined,
  { installation }: Omit<ResolveContext, 'spokenApi'>,
): ResolveContext['spokenApi'] {
  const find = async (): Promise<SpokenApi> => {
    if (spec?.kind === 'path') {
      const { version, forgejoRunner } = await readPackageJson(await realFolder(spec.path));
      return { version, served: readServed(forgejoRunner) };
    }
    return { version: installation.version, served: servedByRelease };
  };
  let found: Promise<SpokenApi> | undefined;
  return () => (found ??= find());
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

async function resolveLocal(
  entry: Wanted,
  context: ResolveContext,
  signal: AbortSignal,
): Promise<ResolvedPackage | undefined> {
  if (entry.spec.kind !== 'path') return undefined;
  const dir = await realFolder(entry.spec.path);
  const packageJson = await readPackageJson(dir);
  return describePackage(entry, { dir, packageJson, source: 'path' }, context, signal);
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
