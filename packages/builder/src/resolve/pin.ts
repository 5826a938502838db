import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { isExactVersion, type PackageSpec } from '../manifest/package-spec.ts';
import { runChild } from '../run-child.ts';
import { shown, UserError } from '../user-error.ts';
import type { Npm } from './npm.ts';
import type { ViewedPackage } from './registry-view.ts';
import { type AgePolicy, viewOldEnough } from './release-age.ts';

/** A spec that names the same content today and tomorrow, in npm's words. */
export interface Pinned {
  /** As given to npm: a version, `file:` or a git URL with a commit. */
  readonly npmSpec: string;
  /** What makes it the same content. */
  readonly identity: string;
  readonly viewed?: ViewedPackage;
}

/** A spec that needs npm: everything but a folder. */
export type RemoteSpec = Exclude<PackageSpec, { readonly kind: 'path' }>;

/**
 * Settles which version, file or commit a spec stands for now. Exact versions need no look-up.
 *
 * @throws UserError `FRB202`, `FRB304`, `FRB306`, `FRB307`, `FRB312`
 */
export async function pinSpec(
  spec: RemoteSpec,
  npm: Npm,
  age: AgePolicy | undefined,
  signal: AbortSignal,
): Promise<Pinned> {
  if (spec.kind === 'registry') return pinVersion(spec, npm, age, signal);
  if (spec.kind === 'git') {
    const url = await pinCommit(spec.url, npm, signal);
    return { npmSpec: url, identity: url };
  }
  if (/^https?:/.test(spec.location)) return { npmSpec: spec.location, identity: spec.location };
  return { npmSpec: `file:${spec.location}`, identity: await hashFile(spec.location) };
}

/** The spec as `npm view` takes it. */
export function viewSpec(spec: RemoteSpec, pinned: Pinned): string {
  return spec.kind === 'registry' ? `${spec.name}@${pinned.npmSpec}` : pinned.npmSpec;
}

async function pinVersion(
  { name, range }: Extract<RemoteSpec, { readonly kind: 'registry' }>,
  npm: Npm,
  age: AgePolicy | undefined,
  signal: AbortSignal,
): Promise<Pinned> {
  if (isExactVersion(range)) return { npmSpec: range, identity: `${name}@${range}` };
  const viewed = await viewOldEnough(`${name}@${range}`, npm, age, signal);
  return { npmSpec: viewed.version, identity: `${name}@${viewed.version}`, viewed };
}

async function hashFile(file: string): Promise<string> {
  const hash = createHash('sha512');
  try {
    await pipeline(createReadStream(file), hash);
  } catch (cause) {
    throw new UserError('FRB202', `expected a tarball at ${file}, but it cannot be read`, { where: file, cause });
  }
  return `sha512-${hash.digest('base64')}`;
}

async function pinCommit(url: string, npm: Npm, signal: AbortSignal): Promise<string> {
  const [repository = '', reference = 'HEAD'] = url.split('#', 2);
  // npm's own syntax for ranges of tags is left to npm.
  if (/^[0-9a-f]{40}$/.test(reference) || reference.startsWith('semver:')) return url;
  const lines = await listRemote(repository.replace(/^git\+/, ''), reference, npm, signal);
  // A tag object comes with a second line, `^{}`, for the commit that it points to.
  const line = lines.find((text) => text.endsWith('^{}')) ?? lines[0];
  const commit = /^([0-9a-f]{40})\b/.exec(line ?? '')?.[1];
  if (commit === undefined) {
    throw new UserError(
      'FRB312',
      `${npm.redact(repository)}: expected a branch, a tag or a commit, found no "${reference}"`,
    );
  }
  return `${repository}#${commit}`;
}

async function listRemote(
  repository: string,
  reference: string,
  npm: Npm,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const args = ['ls-remote', '--', repository, reference, `${reference}^{}`];
  try {
    const result = await runChild('git', args, { cwd: npm.cwd, env: npm.env }, signal);
    if (result.code === 0) return result.stdout.split('\n').filter((line) => line !== '');
    throw new UserError('FRB312', `${npm.redact(repository)}: git ls-remote failed`, {
      details: npm.redact(shown(result.stderr)),
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new UserError('FRB312', 'git is needed for git URLs and was not found on PATH', { cause: error });
  }
}
