import semver from 'semver';
import type { Manifest } from '../manifest/manifest.ts';
import { UserError } from '../user-error.ts';
import type { Npm } from './npm.ts';
import { type ViewedPackage, viewAccepted, viewPackage } from './registry-view.ts';

/** How old a version has to be before it is chosen. What was locked is never asked. */
export interface AgePolicy {
  readonly minMs: number;
  /** Packages that may be younger. */
  readonly exempt: ReadonlySet<string>;
  readonly now: number;
}

const dayMs = 86_400_000;
const defaultMs = 3 * dayMs;
const official = '@forgejo-runner/';

/**
 * The policy of a manifest; undefined where every age is accepted. npm's own setting, where somebody made one, stays npm's
 * business.
 */
export function agePolicy(manifest: Manifest, npm: Npm): AgePolicy | undefined {
  const minMs = manifest.minReleaseAgeMs ?? (npm.hasReleaseAge ? 0 : defaultMs);
  return minMs === 0 ? undefined : { minMs, exempt: manifest.allowFresh, now: Date.now() };
}

/** How npm is told, for packages that others depend on. */
export function ageFlags(manifest: Manifest, age: AgePolicy | undefined): readonly string[] {
  if (age === undefined) return manifest.minReleaseAgeMs === 0 ? ['--min-release-age=0'] : [];
  const exempt = [`${official}*`, ...age.exempt];
  return [`--min-release-age=${age.minMs / dayMs}`, ...exempt.map((name) => `--min-release-age-exclude=${name}`)];
}

/**
 * The version of a package that is chosen for a spec: what npm would install, if it is old enough, else the newest that
 * fits and is.
 *
 * @throws UserError `FRB318` when none is.
 */
export async function viewOldEnough(
  spec: string,
  npm: Npm,
  age: AgePolicy | undefined,
  signal: AbortSignal,
): Promise<ViewedPackage> {
  const first = await viewPackage(spec, npm, signal);
  if (age === undefined || isOldEnough(first, age)) return first;
  const range = spec.slice(first.name.length + 1);
  const isTag = semver.validRange(range) === null;
  // A tag names one version; what somebody wants who names it is the newest that is no prerelease.
  const among = isTag ? `${first.name}@>=0.0.0` : spec;
  const older = await viewAccepted(among, npm, (entry) => isOldEnough(entry, age), signal);
  if (older !== undefined) return older;
  throw await tooFresh(first, npm, age, signal);
}

/** Refuses a version that somebody asked for by its number and that is too young. @throws UserError `FRB318` */
export async function requireOldEnough(
  viewed: ViewedPackage,
  npm: Npm,
  age: AgePolicy | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (age !== undefined && !isOldEnough(viewed, age)) throw await tooFresh(viewed, npm, age, signal);
}

function isOldEnough({ name, version, time }: ViewedPackage, age: AgePolicy): boolean {
  if (name.startsWith(official) || age.exempt.has(name)) return true;
  const published = Date.parse(time?.[version] ?? '');
  // A registry that does not say: there is nothing to compare.
  return Number.isNaN(published) || age.now - published >= age.minMs;
}

async function tooFresh(viewed: ViewedPackage, npm: Npm, age: AgePolicy, signal: AbortSignal): Promise<UserError> {
  const { name, version, time } = viewed;
  const older = await viewAccepted(`${name}@>=0.0.0`, npm, (entry) => isOldEnough(entry, age), signal).catch(
    () => undefined,
  );
  signal.throwIfAborted();
  const before = timeText(age.now - Date.parse(time?.[version] ?? ''));
  const newest = older === undefined ? 'no version is older' : `the newest that is older is ${older.version}`;
  return new UserError(
    'FRB318',
    `${name}@${version} was published ${before} ago, the policy is ${timeText(age.minMs)}; ${newest}`,
    {
      next: `wait, or accept the risk: --allow-fresh ${name}`,
    },
  );
}

function timeText(ms: number): string {
  const hours = ms / 3_600_000;
  if (hours < 1) return `${Math.max(0, Math.floor(ms / 60_000))} minutes`;
  return hours < 48 ? `${Math.floor(hours)} hours` : `${Math.floor(hours / 24)} days`;
}
