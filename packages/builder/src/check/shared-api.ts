import { type ResolutionHostFactory, ts } from 'ts-morph';

/**
 * Finds modules as Node does, and the API and other `shared` packages from `fallbackFile` where a package does not have
 * them installed: a folder that was never installed gets them from the bundle as well.
 */
export function sharedApi(fallbackFile: string, shared: readonly string[]): ResolutionHostFactory {
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
          return found === undefined && isShared(name) ? find(name, fallbackFile, mode) : found;
        }),
    };
  };
}
