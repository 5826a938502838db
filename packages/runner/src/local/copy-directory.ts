import { realpath } from 'node:fs/promises';
import { isAbsolute, posix, relative, sep } from 'node:path';
import { packTar } from '@forgejo-runner/kit';
import type { OpenEnvironment } from '../environment/open-environment.ts';
import { listByGit } from './list-by-git.ts';

/** How a folder is copied. */
export interface CopyOptions {
  readonly useGitignore: boolean;
  /**
   * Folders of environments below the one that is copied, of all jobs of this run: each copy adds its own. A job that
   * starts later is kept out as soon as it is known.
   */
  readonly jobFolders: Set<string>;
}

/**
 * Copies a folder into the workspace of a job, in place of the checkout. With `useGitignore`, and where the folder is a
 * git checkout, files that git ignores stay behind; `.git` itself goes along, so that steps can use git.
 */
export async function copyDirectory(
  directory: string,
  options: CopyOptions,
  place: OpenEnvironment,
  signal: AbortSignal,
): Promise<void> {
  for (const folder of await foldersOfJobs(directory, place)) options.jobFolders.add(folder);
  const byGit = options.useGitignore ? await acceptByGit(directory, signal) : undefined;
  const accept = (path: string): boolean => !options.jobFolders.has(path) && (byGit?.(path) ?? true);
  using ctx = place.call(signal, 60 * 60_000);
  const tar = packTar({ src: directory, name: '.', accept }, ctx.signal);
  await place.target.copyIn({ dest: place.info.paths.workspace, tar }, ctx);
}

/**
 * The folders below `directory` in which an environment lies, or that it shares with others: somebody who works in
 * their home folder has them there, and a copy of a workspace into itself has no end.
 */
async function foldersOfJobs(directory: string, place: OpenEnvironment): Promise<readonly string[]> {
  const { workspace, temp, runner, toolCache } = place.info.paths;
  const inside = [workspace, temp, runner, toolCache].map((path) => place.target.sharedPath?.(path));
  const root = await realpath(directory);
  const real = await Promise.all(inside.filter((path) => path !== undefined).map((path) => realpath(path)));
  const common = real.length === 0 ? undefined : commonFolder(real);
  const folders = common !== undefined && isBelow(root, common) ? [common] : real.filter((path) => isBelow(root, path));
  return folders.map((path) => relative(root, path).split(sep).join('/'));
}

function commonFolder(paths: readonly string[]): string {
  const [first = [], ...others] = paths.map((path) => path.split(sep));
  const differs = first.findIndex((part, index) => others.some((other) => other[index] !== part));
  return first.slice(0, differs < 0 ? first.length : differs).join(sep);
}

function isBelow(folder: string, path: string): boolean {
  const below = relative(folder, path);
  return below !== '' && !below.startsWith('..') && !isAbsolute(below);
}

/** Accepts what git would commit, by paths below the folder with `/`; `undefined` where it is no checkout. */
async function acceptByGit(directory: string, signal: AbortSignal): Promise<((path: string) => boolean) | undefined> {
  const listing = await listByGit(directory, signal);
  if (listing === undefined) return undefined;
  const accepted = new Set<string>();
  for (const file of listing.files) {
    for (let path = file; path !== '.' && !accepted.has(path); path = posix.dirname(path)) accepted.add(path);
  }
  const gitFolders = listing.checkouts.map((path) => posix.join(path, '.git'));
  return (path) => accepted.has(path) || gitFolders.some((git) => path === git || path.startsWith(`${git}/`));
}
