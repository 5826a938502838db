import { existsSync } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import path from 'node:path';
import type { Plugin } from 'esbuild';
import type { Resolution } from '../resolve/resolved-package.ts';
import { packageFilter } from './one-core.ts';
import { sourceCondition } from './source-condition.ts';

/**
 * Packages that are folders are bundled from their sources where they say where those are: no build before a build, and
 * nothing stale.
 */
export function sourceOfPackages(folders: ReadonlyMap<string, string>): Plugin {
  const setup: Plugin['setup'] = (build) => {
    if (folders.size === 0) return;
    build.onResolve({ filter: packageFilter([...folders.keys()]) }, async (args) => {
      const name = packageName(args.path);
      const dir = await nearestPackage(args.resolveDir, name);
      // Another copy than the chosen folder, further down in a tree, is left as it is.
      if (dir === undefined || dir !== folders.get(name)) return undefined;
      const source = await sourceFile(dir, `.${args.path.slice(name.length)}`);
      return source === undefined ? undefined : { path: source };
    });
  };
  return { name: 'source-of-packages', setup };
}

/** The folder that Node would find a package in, without links. */
async function nearestPackage(from: string, name: string): Promise<string | undefined> {
  let dir = from;
  for (;;) {
    const place = path.join(dir, 'node_modules', name);
    if (existsSync(place)) return realpath(place);
    const parent = path.dirname(dir);
    if (parent === dir) return undefined;
    dir = parent;
  }
}

function packageName(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

/** The source file that a package's `exports` name for a subpath, if it is there. */
async function sourceFile(dir: string, subpath: string): Promise<string | undefined> {
  const { exports } = JSON.parse(await readFile(path.join(dir, 'package.json'), 'utf8')) as { exports?: unknown };
  const conditions = (exports as Record<string, Record<string, unknown> | undefined> | undefined)?.[subpath];
  const named = typeof conditions === 'object' ? conditions[sourceCondition] : undefined;
  if (typeof named !== 'string') return undefined;
  const file = path.resolve(dir, named);
  return file.startsWith(dir + path.sep) && existsSync(file) ? file : undefined;
}

/**
 * Backend packages that call themselves free of side effects: every one of their modules that is imported is kept all
 * the same, since registering is a side effect.
 */
export function keepBackends(resolution: Resolution): readonly Plugin[] {
  const { backends } = resolution;
  const plugin: Plugin = {
    name: 'keep-backends',
    setup: (build) => {
      const skip = { isKeepBackends: true };
      build.onResolve({ filter: /^\.{1,2}\/|^[@a-z0-9]/ }, async (args) => {
        if (args.pluginData === skip) return undefined;
        const isFromBackend = backends.some(
          (one) => args.resolveDir === one.dir || args.resolveDir.startsWith(one.dir + path.sep),
        );
        const isOfBackend = backends.some((one) => args.path === one.name || args.path.startsWith(`${one.name}/`));
        if (!isOfBackend && !(isFromBackend && args.path.startsWith('.'))) return undefined;
        const found = await build.resolve(args.path, {
          resolveDir: args.resolveDir,
          importer: args.importer,
          kind: args.kind,
          with: args.with,
          pluginData: skip,
        });
        return found.errors.length > 0 || found.sideEffects || found.external
          ? undefined
          : { path: found.path, sideEffects: true };
      });
    },
  };
  return backends.some((one) => one.isSideEffectFree) ? [plugin] : [];
}
