import path from 'node:path';
import { z } from 'zod';
import type { Manifest } from '../manifest/manifest.ts';
import type { PackageSpec } from '../manifest/package-spec.ts';
import { keyOf } from '../store/store.ts';
import { openTempFolder } from '../store/temp-folder.ts';
import { UserError } from '../user-error.ts';
import { checkedField, describePackage, type Found, type ResolveContext, type Wanted } from './describe-package.ts';
import { folderPackages, versionsOf } from './folder-packages.ts';
import { gather } from './gather.ts';
import { type BuildLock, type LockedRequest, requestKey } from './lock.ts';
import { type LockedPackages, lockedPackages, lockTree, type TreeRequest } from './npm-lock.ts';
import type { Npm } from './npm.ts';
import { type PackageJson, readPackageJson, realFolder } from './package-json.ts';
import { type Pinned, pinSpec, type RemoteSpec, viewSpec } from './pin.ts';
import { viewPackage } from './registry-view.ts';
import { ageFlags, requireOldEnough } from './release-age.ts';
import type { ResolvedPackage } from './resolved-package.ts';
import { readTarball } from './tarball.ts';
import { openTree, type Tree, withScripts } from './tree.ts';

/** A package that npm has to get. */
export type RemoteWanted = Wanted & { readonly spec: RemoteSpec };

/** Does npm have to get it? */
export function isRemote(entry: Wanted): entry is RemoteWanted {
  return entry.spec.kind !== 'path';
}

/** What was got, and what it was locked to. */
export interface ResolvedRemote {
  readonly packages: ReadonlyMap<PackageSpec, ResolvedPackage>;
  readonly requests: readonly LockedRequest[];
  readonly locked: LockedPackages;
}

/**
 * Gets packages through npm, or from the cache when exactly these were installed before. What the lock of the context
 * says is not asked for again.
 *
 * @throws UserError, or UserErrors with all that is wrong.
 */
export async function resolveRemote(
  wanted: readonly RemoteWanted[],
  manifest: Manifest,
  context: ResolveContext,
  signal: AbortSignal,
): Promise<ResolvedRemote> {
  if (context.isFrozen === true) requireLocked(wanted, context.lock);
  if (wanted.length === 0) return { packages: new Map(), requests: [], locked: {} };
  const pinned = await gather(wanted, (entry) => pin(entry.spec, context, signal));
  const standIns = await versionsOf(await folderPackages(manifest, context.installation));
  const overrides = Object.fromEntries(manifest.overrides);
  const identities = pinned.map((one) => one.identity).toSorted();
  const key = keyOf('lock-1', identities, standIns, overrides, ageFlags(manifest, context.age), nodeMajor());
  const names = await nameAll(wanted, pinned, key, context, signal);
  const request = requestOf(wanted, pinned, names, { standIns, overrides });
  const locked = await lockedFor(request, key, { ...context, flags: ageFlags(manifest, context.age) }, signal);
  const { npm, isOffline = false, vendored } = context;
  const source = { npm, isOffline, tarballs: await (vendored?.(locked) ?? new Map<string, string>()) };
  const scripts = withScripts(locked).filter((name) => manifest.allowScripts.has(name));
  const tree = await openTree(context.store, request, locked, { ...source, scripts }, signal);
  const described = await gather(wanted, async (entry) => {
    const found = await findInTree(tree, names[wanted.indexOf(entry)] ?? '', entry.spec);
    return describePackage(entry, found, context, signal);
  });
  return {
    packages: new Map(wanted.map((entry, index) => [entry.spec, described[index] as ResolvedPackage])),
    requests: wanted.map((entry, index) => {
      const { npmSpec, identity } = pinned[index] as Pinned;
      const isLocal = npmSpec.startsWith('file:');
      return { request: requestKey(entry.spec), name: names[index] ?? '', spec: isLocal ? 'file' : npmSpec, identity };
    }),
    locked,
  };
}

/** Before anybody is asked: what a frozen lock does not have will not be looked up. */
function requireLocked(wanted: readonly RemoteWanted[], lock: BuildLock | undefined): void {
  const missing = wanted
    .map((entry) => requestKey(entry.spec))
    .filter((key) => !lock?.requests.some((one) => one.request === key));
  if (missing.length > 0)
    throw new UserError('FRB314', `${missing.join(', ')} ${missing.length > 1 ? 'are' : 'is'} not in the lock`);
}

function nodeMajor(): string {
  return process.versions.node.split('.', 1)[0] ?? '';
}

function requestOf(
  wanted: readonly RemoteWanted[],
  pinned: readonly Pinned[],
  names: readonly string[],
  { standIns, overrides }: Pick<TreeRequest, 'standIns' | 'overrides'>,
): TreeRequest {
  const tarballs = new Map<string, string>();
  const dependencies = wanted.map(({ spec }, index) => {
    const name = names[index] ?? '';
    const { npmSpec = '', identity = '' } = pinned[index] ?? {};
    if (spec.kind !== 'tarball' || !npmSpec.startsWith('file:')) return [name, npmSpec];
    tarballs.set(name, spec.location);
    // By content, so that the same tarball from another place is the same.
    return [name, `file:tarballs/${keyOf(identity)}.tgz`];
  });
  return {
    dependencies: Object.fromEntries(dependencies) as Record<string, string>,
    standIns,
    overrides,
    tarballs,
  };
}

const pinSchema = z.object({ npmSpec: z.string(), identity: z.string() });

/** What the lock says, else what the registry says now; offline what it said the last time. */
async function pin(spec: RemoteSpec, context: ResolveContext, signal: AbortSignal): Promise<Pinned> {
  const { lock, npm, isOffline = false, store } = context;
  const request = requestKey(spec);
  const isLocalFile = spec.kind === 'tarball' && !/^https?:/.test(spec.location);
  const known = isLocalFile ? undefined : lock?.requests.find((one) => one.request === request);
  if (known !== undefined) return { npmSpec: known.spec, identity: known.identity };
  const key = keyOf('pin-1', request);
  if (isOffline && !isLocalFile) {
    const earlier = pinSchema.safeParse(await store.readJson('pins', key));
    if (earlier.success) return earlier.data;
  }
  const mayAsk = !isOffline || isLocalFile || /^\d/.test(spec.kind === 'registry' ? spec.range : '');
  if (!mayAsk) throw new UserError('FRB313', `${request}: nobody may be asked which version that is`);
  const pinned = await pinSpec(spec, npm, context.age, signal);
  if (!isLocalFile) await store.writeJson('pins', key, { npmSpec: pinned.npmSpec, identity: pinned.identity });
  return pinned;
}

async function lockedFor(
  request: TreeRequest,
  key: string,
  context: ResolveContext & { readonly flags: readonly string[] },
  signal: AbortSignal,
): Promise<LockedPackages> {
  const { lock, store, npm, isOffline = false } = context;
  if (lock !== undefined && context.isFresh !== true && covers(lock, request)) return lock.packages;
  if (context.isFrozen === true)
    throw new UserError('FRB314', 'the lock was made for other packages, or for other versions of folders');
  const known = lockedPackages.safeParse(await store.readJson('locks', key));
  if (known.success && context.isFresh !== true) return known.data;
  await using work = await openTempFolder(store.dir);
  const npmFlags = [...context.flags, ...(isOffline ? ['--offline'] : [])];
  const locked = await lockTree(work.dir, request, { before: lock?.packages, npmFlags, npm }, signal);
  await store.writeJson('locks', key, locked);
  return locked;
}

/** Was the lock made for the same packages in the same versions? */
function covers(lock: BuildLock, request: TreeRequest): boolean {
  const chosen = new Map(lock.requests.map((one) => [one.name, one]));
  const names = Object.keys(request.dependencies);
  const isSame = (name: string): boolean => {
    const spec = request.dependencies[name] ?? '';
    const one = chosen.get(name);
    return one !== undefined && (one.spec === spec || spec === `file:tarballs/${keyOf(one.identity)}.tgz`);
  };
  const isSameRest =
    JSON.stringify([request.standIns, request.overrides]) === JSON.stringify([lock.folders, lock.overrides]);
  return chosen.size === names.length && names.every(isSame) && isSameRest;
}

const recordedNames = z.record(z.string(), z.string());

/** The name of each package. Before anything is installed this looks at all of them, so that our errors come first. */
async function nameAll(
  wanted: readonly RemoteWanted[],
  pinned: readonly Pinned[],
  key: string,
  context: ResolveContext,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const ofLock = wanted.map(
    (entry) => context.lock?.requests.find((one) => one.request === requestKey(entry.spec))?.name,
  );
  if (ofLock.every((name) => name !== undefined)) return ofLock;
  const known = recordedNames.safeParse(await context.store.readJson('locks', `${key}-names`));
  const earlier = known.success ? pinned.map((one) => known.data[one.identity]) : [];
  if (earlier.length > 0 && earlier.every((name) => name !== undefined)) return earlier;
  const names = await gather(wanted, async (entry) => {
    const one = pinned[wanted.indexOf(entry)] as Pinned;
    const viewed = one.viewed ?? (await lookAt(entry.spec, one, context.npm, signal));
    if (entry.spec.kind === 'registry') await requireOldEnough(viewed, context.npm, context.age, signal);
    if (entry.isBackend) await checkedField(viewed, entry.spec.kind === 'registry', context, signal);
    return viewed.name;
  });
  const record = Object.fromEntries(pinned.map((one, index) => [one.identity, names[index] ?? '']));
  await context.store.writeJson('locks', `${key}-names`, record);
  return names;
}

/** A local tarball is read, everything else is asked for. */
async function lookAt(spec: RemoteSpec, pinned: Pinned, npm: Npm, signal: AbortSignal): Promise<PackageJson> {
  const isLocal = spec.kind === 'tarball' && !/^https?:/.test(spec.location);
  return isLocal ? readTarball(spec.location) : viewPackage(viewSpec(spec, pinned), npm, signal);
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
