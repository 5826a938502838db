import { coreName } from './installation.ts';
import type { BuildLock } from './lock.ts';
import type { PackageField } from './package-field.ts';
import type { ServedApi } from './served-api.ts';

/** A package of the runner, with the folder that it lies in. */
export interface ResolvedPackage {
  readonly name: string;
  readonly version: string;
  /** Real folder, without links on the way. */
  readonly dir: string;
  readonly source: 'registry' | 'path' | 'tarball' | 'git';
  /** What was asked for, where it says something to others: a range, a URL. Never a path. */
  readonly spec?: string;
  readonly integrity?: string;
}

/** A backend package with what it declares. */
export interface ResolvedBackend extends ResolvedPackage {
  readonly field: PackageField;
  /** It is written for an older major of the API, which core serves through an adapter. */
  readonly served?: ServedApi;
  /** Its package.json says that some of its modules may be left out when nothing of them is used. */
  readonly isSideEffectFree: boolean;
}

/** What a backend means when it imports the API. */
export function coreSpecifier({ served }: ResolvedBackend): string {
  return served === undefined ? coreName : coreName + served.export.slice(1);
}

/** All packages that were chosen by name, found. Their own dependencies lie where Node looks for them. */
export interface Resolution {
  readonly core: ResolvedPackage;
  readonly runner: ResolvedPackage;
  readonly backends: readonly ResolvedBackend[];
  /** Packages that a folder stands in for, wherever they are imported. */
  readonly replaced: readonly ResolvedPackage[];
  /**
   * Name to folder of all packages that are folders, chosen or provided by a checkout. Their sources are used where
   * their exports name them, and they are found from packages that do not have them installed.
   */
  readonly folders: ReadonlyMap<string, string>;
  /** What all of it was locked to. */
  readonly lock: BuildLock;
  /** Runner and API as they were released, nothing replaced. */
  readonly isOfficial: boolean;
}
