import path from 'node:path';
import { type ResolutionHostFactory, ts } from 'ts-morph';
import { coreName } from '../resolve/installation.ts';

/** What stands for the API. */
interface CoreAlias {
  readonly dir: string;
  readonly specifier: string;
}

/** Not found, or the API that everybody else gets: not a copy of the older major that a package has for its tests. */
function isOf(core: CoreAlias, found: ts.ResolvedModuleFull | undefined): boolean {
  return found === undefined || path.resolve(found.resolvedFileName).startsWith(core.dir + path.sep);
}

/**
 * Finds modules as Node does, and the API and other `shared` packages from `fallbackFile` where a package does not have
 * them installed: a folder that was never installed gets them from the bundle as well. Where core serves an older major,
 * its imports of the API stand for that.
 */
export function sharedApi(fallbackFile: string, shared: readonly string[], core: CoreAlias): ResolutionHostFactory {
  const isShared = (name: string): boolean => shared.some((one) => name === one || name.startsWith(`${one}/`));
  return (host, getOptions) => {
    const cache = ts.createModuleResolutionCache(host.getCurrentDirectory?.() ?? '/', (name) => name, getOptions());
    const find = (name: string, from: string, mode: ts.ResolutionMode): ts.ResolvedModuleFull | undefined =>
      ts.resolveModuleName(name, from, getOptions(), host, cache, undefined, mode).resolvedModule;
    return {
      resolveModuleNames: (names, file, _reused, _redirected, options, source) =>
        names.map((name, index) => {
          const mode = source === undefined ? undefined : ts.getModeForResolutionAtIndex(source, index, options);
          const found = find(name, file, mode);
          if (name === coreName && core.specifier !== coreName && isOf(core, found)) {
            return find(core.specifier, fallbackFile, mode);
          }
          return found === undefined && isShared(name) ? find(name, fallbackFile, mode) : found;
        }),
    };
  };
}
