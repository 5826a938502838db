import { execFile } from 'node:child_process';
import { posix } from 'node:path';
import { promisify } from 'node:util';
import type { OpenEnvironment } from '../environment/open-environment.ts';
import { packTar } from '@forgejo-runner/kit';

/** A large repository lists many files. */
const maxListBytes = 512 * 1024 * 1024;

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
  const accept = options.useGitignore ? await acceptByGit(directory) : undefined;
  using ctx = place.call(signal, 60 * 60_000);
  const tar = packTar({ src: directory, name: '.', ...(accept === undefined ? {} : { accept }) }, ctx.signal);
  await place.target.copyIn({ dest: place.info.paths.workspace, tar }, ctx);
}

/** Accepts what git would commit, by paths below the folder with `/`; `undefined` where it is no checkout. */
async function acceptByGit(directory: string): Promise<((path: string) => boolean) | undefined> {
  const files = await listByGit(directory);
  if (files === undefined) return undefined;
  const accepted = new Set<string>();
  for (const file of files) {
    for (let path = file; path !== '.' && !accepted.has(path); path = posix.dirname(path)) accepted.add(path);
  }
  return (path) => path === '.git' || path.startsWith('.git/') || accepted.has(path);
}

async function listByGit(directory: string): Promise<readonly string[] | undefined> {
  try {
    const { stdout } = await promisify(execFile)(
      'git',
      ['ls-files', '-z', '--cached', '--others', '--exclude-standard'],
      { cwd: directory, maxBuffer: maxListBytes },
    );
    return stdout.split('\0').filter((file) => file !== '');
  } catch {
    // No git, or no checkout: the whole folder is copied.
    return undefined;
  }
}
