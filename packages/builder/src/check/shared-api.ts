import { type ResolutionHostFactory, ts } from 'ts-morph';
import { coreName } from '../resolve/installation.ts';

/**
 * Finds modules as Node does, and the API from `fallbackFile` where a package does not have it installed: a folder that
 * was never installed gets it from the bundle as well.
 */
export function sharedApi(fallbackFile: string): ResolutionHostFactory {
  return (host, getOptions) => {
    const cache = ts.createModuleResolutionCache(host.getCurrentDirectory?.() ?? '/', (name) => name, getOptions());
    const find = (name: string, from: string, mode: ts.ResolutionMode): ts.ResolvedModuleFull | undefined =>
      ts.resolveModuleName(name, from, getOptions(), host, cache, undefined, mode).resolvedModule;
    return {
      resolveModuleNames: (names, file, _reused, _redirected, options, source) =>
        names.map((name, index) => {
          const mode = source === undefined ? undefined : ts.getModeForResolutionAtIndex(source, index, options);
          const found = find(name, file, mode);
          return found === undefined && isApi(name) ? find(name, fallbackFile, mode) : found;
        }),
    };
  };
}

function isApi(name: string): boolean {
  return name === coreName || name.startsWith(`${coreName}/`);
}
