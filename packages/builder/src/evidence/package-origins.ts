import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { BundledPackage } from '../bundle/packages-in.ts';
import type { Resolution } from '../resolve/resolved-package.ts';

/** A package of a runner, and what is known of where it came from. */
export interface PackageOrigin {
  readonly bundled: BundledPackage;
  /** `pkg:npm/…`, https://github.com/package-url/purl-spec; also for a folder, whose content may be another. */
  readonly purl: string;
  /** As it was locked. */
  readonly integrity: string | undefined;
  /** Where npm got it, when that was no registry: a git commit, a tarball. Without logins. */
  readonly resolved: string | undefined;
  /** It lies in a folder of somebody's, and not in a tree that npm installed from the lock. */
  readonly isFolder: boolean;
  /** SHA-256 over those of its files that went into the runner. */
  readonly inputsHash: string;
}

/** Tells of each package in a bundle where it came from, sorted by name and version. */
export async function findOrigins(
  packages: readonly BundledPackage[],
  resolution: Resolution,
): Promise<readonly PackageOrigin[]> {
  const origins = await Promise.all(
    packages.map(async (bundled) => {
      const place = /[/\\]trees[/\\][0-9a-f]+[/\\](node_modules[/\\].*)$/.exec(bundled.dir)?.[1]?.replaceAll('\\', '/');
      const locked = place === undefined ? undefined : resolution.lock.packages[place];
      const resolved = locked?.resolved;
      return {
        bundled,
        purl: purlOf(bundled.name, bundled.version),
        integrity: locked?.integrity,
        resolved: resolved === undefined || resolved.startsWith('file:') ? undefined : resolved,
        isFolder: locked === undefined,
        inputsHash: await hashInputs(bundled),
      };
    }),
  );
  return origins.toSorted((a, b) =>
    a.purl === b.purl ? compare(a.inputsHash, b.inputsHash) : compare(a.purl, b.purl),
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : 1;
}

/** A package of npm's registry, as tools name it. */
export function purlOf(name: string, version: string): string {
  return `pkg:npm/${name.replace(/^@/, '%40')}@${encodeURIComponent(version)}`;
}

async function hashInputs({ dir, files }: BundledPackage): Promise<string> {
  const hash = createHash('sha256');
  for (const { name } of files) {
    hash.update(`${name}\0`).update(
      createHash('sha256')
        .update(await readFile(path.join(dir, name)))
        .digest(),
    );
  }
  return hash.digest('hex');
}
