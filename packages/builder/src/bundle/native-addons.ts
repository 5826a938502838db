import path from 'node:path';
import type { OnResolveArgs, Plugin } from 'esbuild';
import { packageAround } from './one-core.ts';

/** Packages known to work without their native addon: they catch the failing `require`. */
export const worksWithoutAddon: ReadonlySet<string> = new Set(['ssh2', 'cpu-features', 'bufferutil', 'utf-8-validate']);

/** What happened to native addons. */
export interface NativeAddons {
  readonly plugin: Plugin;
  /** Packages whose addon was left out although nobody said that they work without. */
  readonly refused: () => ReadonlyMap<string, string>;
  /** Packages whose addon was left out. */
  readonly stubbed: () => ReadonlySet<string>;
}

/**
 * Turns every compiled addon into a module that throws what a missing module throws, which is what packages with a
 * fallback wait for. For packages that are not known to have one, it is noted.
 */
export function nativeAddons(stubNative: ReadonlySet<string>): NativeAddons {
  const refused = new Map<string, string>();
  const stubbed = new Set<string>();
  const plugin: Plugin = {
    name: 'native-addons',
    setup: (build) => {
      build.onResolve({ filter: /\.node$|^cpu-features$/ }, async (args) => {
        const owner = await ownerOf(args);
        if (worksWithoutAddon.has(owner) || stubNative.has(owner)) stubbed.add(owner);
        else refused.set(owner, args.path);
        return { path: path.posix.join(owner, path.basename(args.path)), namespace: 'native-addon' };
      });
      build.onLoad({ filter: /.*/, namespace: 'native-addon' }, (args) => ({
        contents: throwing(args.path),
        loader: 'js',
      }));
    },
  };
  return { plugin, refused: () => refused, stubbed: () => stubbed };
}

async function ownerOf(args: OnResolveArgs): Promise<string> {
  return (await packageAround(args.importer))?.name ?? args.importer;
}

function throwing(name: string): string {
  const message = JSON.stringify(`Cannot find module '${name}': native addons are left out of this runner`);
  return `throw Object.assign(new Error(${message}), { code: 'MODULE_NOT_FOUND' });`;
}
