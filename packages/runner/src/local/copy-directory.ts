import { posix } from 'node:path';
import { packTar } from '@forgejo-runner/kit';
import type { OpenEnvironment } from '../environment/open-environment.ts';
import { listByGit } from './list-by-git.ts';

/**
 * Copies a folder into the workspace of a job, in place of the checkout. With `useGitignore`, and where the folder is a
 * git checkout, files that git ignores stay behind; `.git` itself goes along, so that steps can use git.
 */
export async function copyDirectory(
  directory: string,
  options: { readonly useGitignore: boolean },
  place: OpenEnvironment,
  signal: AbortSignal,
): Promise<void> {
  const accept = options.useGitignore ? await acceptByGit(directory, signal) : undefined;
  using ctx = place.call(signal, 60 * 60_000);
  const tar = packTar({ src: directory, name: '.', ...(accept === undefined ? {} : { accept }) }, ctx.signal);
  await place.target.copyIn({ dest: place.info.paths.workspace, tar }, ctx);
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
