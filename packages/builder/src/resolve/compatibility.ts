import semver from 'semver';
import { UserError } from '../user-error.ts';
import { coreName } from './installation.ts';
import type { PackageField } from './package-field.ts';
import type { ServedApi, SpokenApi } from './served-api.ts';

/** What decides whether a package can be in a runner at all, known before it is installed. */
export interface Candidate {
  readonly name: string;
  readonly version: string;
  readonly field: PackageField;
  readonly dependencies?: Readonly<Record<string, string>> | undefined;
  readonly peerDependencies?: Readonly<Record<string, string>> | undefined;
}

/** Finds the newest version of a package that is written for an API major. */
export type FindVersion = (name: string, api: number) => Promise<string | undefined>;

/**
 * Compares what a package asks of the API with the API of this build. Resolves to the older major that it is served
 * through an adapter; undefined for the build's own.
 *
 * @throws UserError `FRB401` for another major, `FRB301` for a version of this major that is not here, `FRB408` for a
 * package that brings another major of its own.
 */
export async function requireCompatible(
  candidate: Candidate,
  spoken: SpokenApi,
  findVersion: FindVersion,
): Promise<ServedApi | undefined> {
  const { api } = candidate.field;
  const served = spoken.served.find((one) => one.api === api);
  if (api !== semver.major(spoken.version) && served === undefined) {
    throw await otherMajor(candidate, `API ${api}`, spoken, findVersion);
  }
  // A package of an older major is measured by the version of it that is served.
  const coreVersion = served?.version ?? spoken.version;
  const ours = semver.major(coreVersion);
  const peer = candidate.peerDependencies?.[coreName];
  if (peer !== undefined) await requirePeer(candidate, peer, { ...spoken, version: coreVersion }, findVersion);
  const own = candidate.dependencies?.[coreName];
  if (own !== undefined && semver.validRange(own) !== null && !semver.intersects(own, `^${ours}.0.0`)) {
    throw new UserError(
      'FRB408',
      `${titleOf(candidate)} brings its own ${coreName} ${own} (in "dependencies"); this runner has ${coreVersion}, another major`,
    );
  }
  return served;
}

async function requirePeer(
  candidate: Candidate,
  range: string,
  spoken: SpokenApi,
  findVersion: FindVersion,
): Promise<void> {
  const coreVersion = spoken.version;
  if (semver.validRange(range) === null || semver.satisfies(coreVersion, range, { includePrerelease: true })) return;
  const ours = semver.major(coreVersion);
  if (!semver.intersects(range, `^${ours}.0.0`)) {
    throw await otherMajor(candidate, `${coreName} ${range}`, spoken, findVersion);
  }
  const oldest = semver.minVersion(range)?.version;
  const isNewer = oldest !== undefined && semver.gt(oldest, coreVersion);
  throw new UserError(
    'FRB301',
    `${titleOf(candidate)} needs ${coreName} ${range}, this builder has ${coreVersion}`,
    isNewer ? { next: `use an older version of the package, or a builder with API ${oldest} or newer` } : {},
  );
}

async function otherMajor(
  candidate: Candidate,
  writtenFor: string,
  { version: coreVersion, served }: SpokenApi,
  findVersion: FindVersion,
): Promise<UserError> {
  const ours = semver.major(coreVersion);
  const all = [ours, ...served.map((one) => one.api)].join(' and ');
  const theirs = candidate.field.api === ours ? majorOf(candidate.peerDependencies?.[coreName]) : candidate.field.api;
  const fitting = await findVersion(candidate.name, ours);
  const next =
    fitting === undefined
      ? `use a version of ${candidate.name} for API ${ours}, or a builder for API ${theirs}`
      : `use --with ${candidate.name}@${fitting} (latest for API ${ours})`;
  return new UserError(
    'FRB401',
    `${titleOf(candidate)} is written for ${writtenFor}; this runner (${coreVersion}) speaks API ${all}`,
    { next },
  );
}

function majorOf(range: string | undefined): string {
  return String(semver.minVersion(range ?? '')?.major ?? 'of that major');
}

function titleOf(candidate: Candidate): string {
  return `${candidate.name}@${candidate.version}`;
}
