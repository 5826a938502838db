import path from 'node:path';
import { z } from 'zod';
import type { Manifest } from '../manifest/manifest.ts';
import type { PackageSpec } from '../manifest/package-spec.ts';
import { checkedField, describePackage, type Found, type ResolveContext, type Wanted } from './describe-package.ts';
import { folderPackages, versionsOf } from './folder-packages.ts';
import { gather } from './gather.ts';
import type { Npm } from './npm.ts';
import { type PackageJson, readPackageJson, realFolder } from './package-json.ts';
import { type Pinned, pinSpec, type RemoteSpec, viewSpec } from './pin.ts';
import { viewPackage } from './registry-view.ts';
import type { ResolvedPackage } from './resolved-package.ts';
import { readTarball } from './tarball.ts';
import { findTree, installTree, type Tree, treeKey } from './tree.ts';

/** A package that npm has to get. */
export type RemoteWanted = Wanted & { readonly spec: RemoteSpec };

/** Does npm have to get it? */
export function isRemote(entry: Wanted): entry is RemoteWanted {
  return entry.spec.kind !== 'path';
}

/**
 * Gets packages through npm, or from the cache when exactly these were installed before.
 *
 * @throws UserError, or UserErrors with all that is wrong.
 */
export async function resolveRemote(
  wanted: readonly RemoteWanted[],
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
    return describePackage(entry, found, context, signal);
  });
  return new Map(wanted.map((entry, index) => [entry.spec, described[index] as ResolvedPackage]));
}

const recordedNames = z.record(z.string(), z.string());

/** The name of each package. Before anything is installed this looks at all of them, so that our errors come first. */
async function nameAll(
  wanted: readonly RemoteWanted[],
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
