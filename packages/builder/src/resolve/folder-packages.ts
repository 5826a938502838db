import path from 'node:path';
import type { Manifest } from '../manifest/manifest.ts';
import { type Installation, officialPackages } from './installation.ts';
import { readPackageJson, realFolder } from './package-json.ts';

/** Folder of an official package in the checkout that the builder runs from. */
export function checkoutFolder(name: string, installation: Installation): string | undefined {
  const folder = Object.hasOwn(officialPackages, name) ? officialPackages[name] : undefined;
  return folder === undefined || installation.checkout === undefined
    ? undefined
    : path.join(installation.checkout, folder);
}

/** Packages that are folders whoever asks for them: what is replaced, and all that is ours when we run from a checkout. */
export async function folderPackages(
  manifest: Manifest,
  installation: Installation,
): Promise<ReadonlyMap<string, string>> {
  const folders = new Map<string, string>();
  for (const name of Object.keys(officialPackages)) {
    const folder = checkoutFolder(name, installation);
    if (folder !== undefined) folders.set(name, await realFolder(folder));
  }
  for (const [name, folder] of manifest.replacements) folders.set(name, await realFolder(folder));
  return folders;
}

/** Name to version of packages that are folders. */
export async function versionsOf(folders: ReadonlyMap<string, string>): Promise<Readonly<Record<string, string>>> {
  const entries = [...folders].map(async ([name, dir]) => [name, (await readPackageJson(dir)).version] as const);
  return Object.fromEntries(await Promise.all(entries));
}
