import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { OnLoadResult, OnResolveArgs, Plugin } from 'esbuild';
import type { NativePolicy } from '../manifest/layer.ts';
import { packageAround } from './one-core.ts';

/** Packages known to work without their native addon: they catch the failing `require`. */
export const worksWithoutAddon: ReadonlySet<string> = new Set(['ssh2', 'cpu-features', 'bufferutil', 'utf-8-validate']);

/** What happened to native addons. */
export interface NativeAddons {
  readonly plugin: Plugin;
  /** Packages to the addon that is an error. */
  readonly refused: () => ReadonlyMap<string, RefusedAddon>;
  /** Packages whose addon was left out. */
  readonly stubbed: () => ReadonlySet<string>;
  /** Packages whose addon is in the result, which is for this platform alone then. */
  readonly embedded: () => ReadonlySet<string>;
}

/** An addon that cannot be in the result. */
export interface RefusedAddon {
  readonly file: string;
  /** It is to be embedded, but was never compiled. */
  readonly isMissing: boolean;
}

/**
 * Decides for every compiled addon. Left out, it becomes a module that throws what a missing module throws, which is what
 * packages with a fallback wait for. Embedded, its bytes are in the result, and loaded from a private folder when they
 * are wanted.
 */
export function nativeAddons(policies: ReadonlyMap<string, NativePolicy>): NativeAddons {
  const refused = new Map<string, RefusedAddon>();
  const stubbed = new Set<string>();
  const embedded = new Set<string>();
  const plugin: Plugin = {
    name: 'native-addons',
    setup: (build) => {
      build.onResolve({ filter: /\.node$|^cpu-features$/ }, async (args) => {
        const owner = await ownerOf(args);
        const policy = policies.get(owner) ?? (worksWithoutAddon.has(owner) ? 'stub' : 'fail');
        const name = path.posix.join(owner, path.basename(args.path));
        if (policy === 'embed') {
          const file = findFile(args);
          if (file !== undefined) {
            embedded.add(owner);
            return { path: name, namespace: 'native-addon', pluginData: { file } };
          }
        }
        if (policy === 'stub') stubbed.add(owner);
        else refused.set(owner, { file: args.path, isMissing: policy === 'embed' });
        return { path: name, namespace: 'native-addon' };
      });
      build.onLoad({ filter: /.*/, namespace: 'native-addon' }, async ({ path: name, pluginData }) =>
        load(name, pluginData),
      );
    },
  };
  return { plugin, refused: () => refused, stubbed: () => stubbed, embedded: () => embedded };
}

async function ownerOf(args: OnResolveArgs): Promise<string> {
  return (await packageAround(args.importer))?.name ?? args.importer;
}

/** The compiled file that a `require` stands for, if it was compiled. */
function findFile({ path: specifier, importer }: OnResolveArgs): string | undefined {
  try {
    return createRequire(importer).resolve(specifier);
  } catch {
    return undefined;
  }
}

async function load(name: string, pluginData: unknown): Promise<OnLoadResult> {
  const file = (pluginData as { readonly file?: string } | undefined)?.file;
  if (file === undefined) return { contents: throwing(name), loader: 'js' };
  return { contents: loading(path.basename(name), await readFile(file)), loader: 'js', watchFiles: [file] };
}

function throwing(name: string): string {
  const message = JSON.stringify(`Cannot find module '${name}': native addons are left out of this runner`);
  return `throw Object.assign(new Error(${message}), { code: 'MODULE_NOT_FOUND' });`;
}

/** A folder that nobody else can write to, for as long as the system needs a file: on Windows until it is restarted. */
function loading(name: string, bytes: Buffer): string {
  return `const { mkdtempSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const dir = mkdtempSync(join(tmpdir(), 'forgejo-runner-addon-'));
const file = join(dir, ${JSON.stringify(name)});
try {
  writeFileSync(file, Buffer.from(${JSON.stringify(bytes.toString('base64'))}, 'base64'), { flag: 'wx', mode: 0o500 });
  process.dlopen(module, file);
} finally {
  if (process.platform !== 'win32') rmSync(dir, { recursive: true, force: true });
}
`;
}
