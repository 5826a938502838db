import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Manifest } from '../manifest/manifest.ts';
import type { Store } from '../store/store.ts';
import { writeTextFile } from '../store/write-output.ts';
import { UserError } from '../user-error.ts';
import type { Installation } from './installation.ts';
import { type BuildLock, differences, lockText, readLockFile } from './lock.ts';
import { openNpm } from './npm.ts';
import { agePolicy } from './release-age.ts';
import { resolvePackages } from './resolution.ts';
import type { Resolution } from './resolved-package.ts';
import { vendorFolder, vendoredTarballs } from './vendor.ts';

/** Where versions come from, and who may change what was locked. */
export interface LockOptions {
  /** The lock of the project. Without one nothing is locked, and nothing written. */
  readonly lockFile?: string | undefined;
  /** The lock is an order, not a memory: whatever it does not have is an error. */
  readonly isFrozen?: boolean | undefined;
  /** The lock file is left as it is, whatever comes out: for packages that are asked for this once. */
  readonly isLockKept?: boolean | undefined;
  /** Nobody is asked. */
  readonly isOffline?: boolean | undefined;
  /** Requests that are looked up again although they are locked; all of them for `true`. */
  readonly refresh?: boolean | readonly string[] | undefined;
}

/** What is resolved, and for whom. */
export interface ResolveInput extends LockOptions {
  readonly manifest: Manifest;
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/**
 * Finds all packages of a project, by its lock where it has one, and writes the lock when something was added.
 *
 * @throws UserError, or UserErrors with all that is wrong; `FRB314` when the lock is frozen and does not fit.
 */
export async function resolveProject(
  input: ResolveInput,
  place: { readonly installation: Installation; readonly store: Store },
  signal: AbortSignal,
): Promise<Resolution> {
  const { manifest, cwd, lockFile, isFrozen = false, isOffline = false, refresh = false } = input;
  const written = lockFile === undefined ? undefined : await readLockFile(lockFile);
  if (lockFile !== undefined && isFrozen && written === undefined) {
    throw new UserError('FRB314', `expected a lock at ${lockFile}, found none`);
  }
  const vendorDir = vendorFolder(lockFile === undefined ? cwd : path.dirname(lockFile));
  const npm = openNpm(cwd, input.env ?? process.env);
  const age = agePolicy(manifest, npm);
  const resolution = await resolvePackages(
    manifest,
    {
      ...place,
      npm,
      ...(age === undefined ? {} : { age }),
      cwd,
      lock: withoutThese(written, refresh),
      isFrozen: lockFile !== undefined && isFrozen,
      isOffline,
      isFresh: refresh !== false,
      ...(existsSync(vendorDir) ? { vendored: (locked) => vendoredTarballs(vendorDir, locked) } : {}),
    },
    signal,
  );
  if (lockFile === undefined) return resolution;
  if (isFrozen && written !== undefined) throwDifferences(written, resolution.lock, lockFile);
  const isKept = isFrozen || input.isLockKept === true;
  const text = lockText(resolution.lock);
  if (!isKept && (written === undefined || lockText(written) !== text)) await writeTextFile(lockFile, text);
  return resolution;
}

/** A lock that no longer knows some packages, whether they were asked for or came along. */
function withoutThese(lock: BuildLock | undefined, names: boolean | readonly string[]): BuildLock | undefined {
  if (lock === undefined || names === true) return undefined;
  if (names === false) return lock;
  const packages = Object.entries(lock.packages).filter(
    ([at]) => !names.some((name) => at.endsWith(`node_modules/${name}`)),
  );
  return {
    ...lock,
    requests: lock.requests.filter((one) => !names.includes(one.name)),
    packages: Object.fromEntries(packages),
  };
}

function throwDifferences(locked: BuildLock, now: BuildLock, file: string): void {
  const [first, ...others] = differences(locked, now);
  if (first === undefined) return;
  const more = others.length === 0 ? '' : `; ${others.join('; ')}`;
  throw new UserError('FRB314', `${first}${more}`, { where: file });
}
