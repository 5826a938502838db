import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LocalRegistry } from '@forgejo-runner/testkit';

const repository = fileURLToPath(new URL('..', import.meta.url));

interface PackageJson {
  readonly name: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/**
 * Publishes packages that are installed here, with all that they depend on, to a local registry: a test then installs
 * them like anybody, without the network. Optional ones that are not installed here are left out.
 */
export async function publishInstalled(registry: LocalRegistry, names: readonly string[]): Promise<void> {
  const folders = new Map<string, string>();
  for (const name of names) await collect(name, repository, folders);
  for (const folder of folders.values()) await registry.publish(folder);
}

async function collect(name: string, from: string, folders: Map<string, string>): Promise<void> {
  const folder = findInstalled(name, from);
  if (folder === undefined || folders.has(name)) return;
  folders.set(name, folder);
  const text = await readFile(join(folder, 'package.json'), 'utf8');
  // An installed package has a package.json of this shape, or npm would not have installed it.
  const { dependencies, optionalDependencies } = JSON.parse(text) as PackageJson;
  for (const one of Object.keys({ ...dependencies, ...optionalDependencies })) await collect(one, folder, folders);
}

function findInstalled(name: string, from: string): string | undefined {
  const require = createRequire(join(from, 'package.json'));
  for (const folder of require.resolve.paths(name) ?? []) {
    try {
      return dirname(require.resolve(join(folder, name, 'package.json')));
    } catch {
      // The next folder on the way up may have it.
    }
  }
  return undefined;
}
