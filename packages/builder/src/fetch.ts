import { runStep, type EventSink } from './events.ts';
import { basesFor, fetchBases } from './package/base-binary.ts';
import type { Target } from './package/target.ts';
import { findInstallation } from './resolve/installation.ts';
import { type BuildLock } from './resolve/lock.ts';
import { openNpm } from './resolve/npm.ts';
import { type ResolveInput, resolveProject } from './resolve/resolve-project.ts';
import { writeVendor } from './resolve/vendor.ts';
import { inCache } from './store/disk-problem.ts';
import { defaultCacheDir, openStore } from './store/store.ts';

/** What to get. */
export interface FetchOptions extends ResolveInput {
  readonly cacheDir?: string;
  /** Folder for tarballs of all packages, for builds that have no cache either. */
  readonly vendorDir?: string;
  /** Platforms whose Node is got as well, for executables. */
  readonly targets?: readonly Target[];
  readonly onEvent?: EventSink;
  readonly signal?: AbortSignal;
}

/** What was got. */
export interface FetchReport {
  readonly lock: BuildLock;
  /** Tarballs in `vendorDir`. */
  readonly vendored: number | undefined;
}

/**
 * Gets all that a build needs and writes the lock: afterwards it can be built with `isOffline`.
 *
 * @throws UserError, or UserErrors with all that is wrong.
 */
export async function fetchPackages(options: FetchOptions): Promise<FetchReport> {
  const { onEvent = () => undefined, signal = new AbortController().signal, vendorDir } = options;
  const cacheDir = options.cacheDir ?? defaultCacheDir(options.env ?? process.env);
  return inCache(cacheDir, async () => {
    const lock = await runStep('resolve', onEvent, async () => {
      const place = { installation: findInstallation(), store: openStore(cacheDir) };
      const resolution = await resolveProject(options, place, signal);
      const count = Object.keys(resolution.lock.packages).length;
      return { result: resolution.lock, detail: `${count} packages` };
    });
    const npm = openNpm(options.cwd, options.env ?? process.env);
    const { targets = [] } = options;
    await fetchBases(targets, { npm, isOffline: options.isOffline === true, store: openStore(cacheDir) }, signal);
    if (vendorDir === undefined) return { lock, vendored: undefined };
    const vendored = await runStep('vendor', onEvent, async () => {
      const bases = basesFor(targets).map((base) => `${base.package}@${base.version}`);
      const result = await writeVendor(vendorDir, lock, { npm, bases }, signal);
      return { result, detail: `${result} tarballs in ${vendorDir}` };
    });
    return { lock, vendored };
  });
}
