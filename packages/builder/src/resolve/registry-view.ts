import semver from 'semver';
import { z } from 'zod';
import { UserError } from '../user-error.ts';
import { type Npm, NpmFailure } from './npm.ts';
import { translateNpmFailure } from './npm-errors.ts';
import { findSimilarNames } from './similar-names.ts';

/** What is known about one version of a package before it is installed. */
export interface ViewedPackage {
  readonly name: string;
  readonly version: string;
  readonly forgejoRunner?: unknown;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly deprecated?: string | boolean;
  readonly description?: string;
  readonly license?: string;
  readonly homepage?: string;
  /** Version to the time when it was published. */
  readonly time?: Readonly<Record<string, string>>;
  readonly 'dist-tags'?: Readonly<Record<string, string>>;
}

const entrySchema = z.object({
  name: z.string(),
  version: z.string(),
  forgejoRunner: z.unknown().optional(),
  dependencies: z.record(z.string(), z.string()).exactOptional(),
  peerDependencies: z.record(z.string(), z.string()).exactOptional(),
  deprecated: z.union([z.string(), z.boolean()]).exactOptional(),
  description: z.string().exactOptional(),
  // Old packages have an object here; what it says is not needed.
  license: z.string().exactOptional().catch(''),
  homepage: z.string().exactOptional(),
  time: z.record(z.string(), z.string()).exactOptional(),
  'dist-tags': z.record(z.string(), z.string()).exactOptional(),
});
const answerSchema = z.union([entrySchema, z.array(entrySchema).min(1)]);

const fields = [
  'name',
  'version',
  'forgejoRunner',
  'dependencies',
  'peerDependencies',
  'deprecated',
  'dist-tags',
  'description',
  'license',
  'homepage',
  'time',
];
// A registry that is down should be known in seconds; npm's own patience is minutes.
const patience = ['--fetch-retries=1', '--fetch-retry-mintimeout=300', '--fetch-retry-maxtimeout=1000'];

/**
 * Asks for the version of a package that npm would install for a spec.
 *
 * @throws UserError `FRB304`, `FRB306`, `FRB307`, `FRB310`, `FRB312`, `FRB309`
 */
export async function viewPackage(spec: string, npm: Npm, signal: AbortSignal): Promise<ViewedPackage> {
  const entries = await view(spec, npm, signal);
  return choose(spec, entries);
}

/** The newest version of a package whose field says that it is for an API major, if the registry knows one. */
export async function findVersionForApi(
  name: string,
  api: number,
  npm: Npm,
  signal: AbortSignal,
): Promise<string | undefined> {
  const isForApi = (value: unknown): boolean => (value as { api?: unknown } | undefined)?.api === api;
  try {
    // Not "*", which npm takes for the latest.
    const entries = await ask(`${name}@>=0.0.0`, npm, signal);
    const versions = entries.filter((entry) => isForApi(entry.forgejoRunner)).map((entry) => entry.version);
    return semver.maxSatisfying(versions, '*') ?? undefined;
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

async function ask(spec: string, npm: Npm, signal: AbortSignal): Promise<readonly ViewedPackage[]> {
  const answer = await npm.run(['view', ...patience, '--', spec, ...fields], npm.cwd, signal);
  const read = answerSchema.safeParse(answer);
  if (!read.success)
    throw new UserError('FRB309', `${spec}: npm view answered in an unknown form`, { cause: read.error });
  return Array.isArray(read.data) ? read.data : [read.data];
}

async function view(spec: string, npm: Npm, signal: AbortSignal): Promise<readonly ViewedPackage[]> {
  try {
    return await ask(spec, npm, signal);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof NpmFailure) || error.npmCode !== 'E404') throw translateNpmFailure(error, spec);
    if (error.summary.startsWith('No match found for version')) throw await noSuchVersion(error, spec, npm, signal);
    throw await unknownPackage(error, spec, npm, signal);
  }
}

async function unknownPackage(error: NpmFailure, spec: string, npm: Npm, signal: AbortSignal): Promise<Error> {
  const translated = translateNpmFailure(error, spec);
  const similar = await findSimilarNames(nameOf(spec), npm, signal);
  if (similar.length === 0 || !(translated instanceof UserError)) return translated;
  return new UserError(translated.code, translated.message, {
    next: `did you mean ${similar.join(', ')}?`,
    cause: error,
    ...(translated.details === undefined ? {} : { details: translated.details }),
  });
}

async function noSuchVersion(error: NpmFailure, spec: string, npm: Npm, signal: AbortSignal): Promise<UserError> {
  const name = nameOf(spec);
  let versions: readonly string[] = [];
  try {
    const answer = await npm.run(['view', ...patience, '--', name, 'versions'], npm.cwd, signal);
    versions = z.union([z.array(z.string()), z.string().transform((only) => [only])]).parse(answer);
  } catch {
    signal.throwIfAborted();
  }
  const newest = semver.rsort([...versions]).slice(0, 3);
  const known = newest.length === 0 ? {} : { next: `ask for one that exists; the newest are ${newest.join(', ')}` };
  return new UserError('FRB306', `no version of ${name} fits "${spec.slice(name.length + 1)}"`, {
    ...known,
    cause: error,
  });
}

/** The version that npm would install for a spec, of those that somebody accepts. */
export async function viewAccepted(
  spec: string,
  npm: Npm,
  isAccepted: (entry: ViewedPackage) => boolean,
  signal: AbortSignal,
): Promise<ViewedPackage | undefined> {
  const accepted = (await view(spec, npm, signal)).filter(isAccepted);
  return accepted.length === 0 ? undefined : choose(spec, accepted);
}

function choose(spec: string, entries: readonly ViewedPackage[]): ViewedPackage {
  const [only, ...others] = entries;
  if (only === undefined) throw new UserError('FRB306', `no version fits "${spec}"`);
  if (others.length === 0) return only;
  // npm prefers what the tag "latest" points to, then versions that are not deprecated, then the highest.
  const latest = entries.find((entry) => entry.version === only['dist-tags']?.['latest']);
  if (latest !== undefined) return latest;
  const sound = entries.filter((entry) => entry.deprecated === undefined || entry.deprecated === false);
  const pool = sound.length === 0 ? entries : sound;
  return pool.toSorted((a, b) => semver.rcompare(a.version, b.version))[0] ?? only;
}

function nameOf(spec: string): string {
  const at = spec.indexOf('@', 1);
  return at === -1 ? spec : spec.slice(0, at);
}
