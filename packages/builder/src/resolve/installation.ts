import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where the builder itself lies, and what follows from it. */
export interface Installation {
  /** Version of the builder: the version at which all official packages are taken. */
  readonly version: string;
  /** Folder of the builder's own package. */
  readonly dir: string;
  /** Folder of the packages when the builder runs from a checkout of its sources: they are taken from there. */
  readonly checkout: string | undefined;
}

/** Packages that are released together with the builder, as the folder in `packages/` that holds each. */
export const officialPackages: Readonly<Record<string, string>> = {
  '@forgejo-runner/core': 'core',
  '@forgejo-runner/kit': 'kit',
  '@forgejo-runner/protocol': 'protocol',
  '@forgejo-runner/runner': 'runner',
  '@forgejo-runner/backend-host': 'backend-host',
  '@forgejo-runner/backend-docker': 'backend-docker',
  '@forgejo-runner/backend-lxc': 'backend-lxc',
  '@forgejo-runner/backend-grpc': 'backend-grpc',
};

/** Backends of this project by id, for those who look for the package of one. */
export const officialBackends: Readonly<Record<string, string>> = {
  host: '@forgejo-runner/backend-host',
  docker: '@forgejo-runner/backend-docker',
  lxc: '@forgejo-runner/backend-lxc',
  grpc: '@forgejo-runner/backend-grpc',
};

export const coreName = '@forgejo-runner/core';
export const runnerName = '@forgejo-runner/runner';

/** Finds out where this code lies. A package below `node_modules` was installed, any other is a checkout. */
export function findInstallation(from: string = fileURLToPath(import.meta.url)): Installation {
  let dir = path.dirname(from);
  while (!existsSync(path.join(dir, 'package.json'))) {
    const parent = path.dirname(dir);
    if (parent === dir) throw new Error(`no package.json above ${from}`);
    dir = parent;
  }
  const { version } = JSON.parse(readFileSync(path.join(dir, 'package.json'), 'utf8')) as { version: string };
  const packages = path.dirname(dir);
  const isInstalled = dir.split(path.sep).includes('node_modules');
  const isCheckout = !isInstalled && existsSync(path.join(packages, 'core', 'package.json'));
  return { version, dir, checkout: isCheckout ? packages : undefined };
}
