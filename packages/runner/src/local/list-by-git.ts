import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** What git knows of a folder, by paths from there with `/` between names. */
export interface GitListing {
  /** Files and links that git has or would take, with those of submodules and of other checkouts inside. */
  readonly files: readonly string[];
  /** The checkouts among the folders, `''` for the folder itself where it is one. */
  readonly checkouts: readonly string[];
}

/** A large repository lists many files. */
const maxListBytes = 512 * 1024 * 1024;
const submoduleMode = '160000';

/** Asks git for the files of a folder, or gives `undefined` where there is no git or no checkout. */
export async function listByGit(directory: string, signal: AbortSignal): Promise<GitListing | undefined> {
  try {
    return await listCheckout(directory, '', signal);
  } catch {
    signal.throwIfAborted();
    return undefined;
  }
}

async function listCheckout(directory: string, prefix: string, signal: AbortSignal): Promise<GitListing> {
  const here = join(directory, prefix);
  const known = await askGit(here, ['ls-files', '-z', '--cached', '--stage'], signal);
  const others = await askGit(here, ['ls-files', '-z', '--others', '--exclude-standard'], signal);
  const files: string[] = [];
  const inner: string[] = [];
  for (const entry of known) {
    const tab = entry.indexOf('\t');
    (entry.startsWith(submoduleMode) ? inner : files).push(prefix + entry.slice(tab + 1));
  }
  // Another checkout inside of this one is listed as a folder.
  for (const path of others) (path.endsWith('/') ? inner : files).push(prefix + path.replace(/\/$/, ''));
  const checkouts = (await exists(join(here, '.git'))) ? [prefix.replace(/\/$/, '')] : [];
  for (const path of inner) {
    files.push(path);
    // A submodule that was never fetched is an empty folder, where git would answer for the folder around it.
    if (!(await exists(join(directory, path, '.git')))) continue;
    const below = await listCheckout(directory, `${path}/`, signal);
    for (const file of below.files) files.push(file);
    checkouts.push(...below.checkouts);
  }
  return { files, checkouts };
}

async function askGit(cwd: string, args: readonly string[], signal: AbortSignal): Promise<readonly string[]> {
  // The configuration of a checkout inside may name a program to run as its file monitor.
  const { stdout } = await promisify(execFile)('git', ['-c', 'core.fsmonitor=false', ...args], {
    cwd,
    maxBuffer: maxListBytes,
    signal,
  });
  return stdout.split('\0').filter((entry) => entry !== '');
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
