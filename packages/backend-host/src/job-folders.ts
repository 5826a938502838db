import { createHash, randomBytes } from 'node:crypto';
import { chmod, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { BackendError, type Owner } from '@forgejo-runner/core';
import { namePattern, type OwnerFile, writeOwnerFile } from './owner-file.ts';
import { createError, unavailable } from './platform-errors.ts';
import type { ProcessIdentity } from './process-identity.ts';

/** The folders of one job. All are below `root`. */
export interface JobFolders {
  readonly root: string;
  readonly workspace: string;
  readonly temp: string;
  readonly runner: string;
  readonly home: string;
  /** For the named pipes of its processes. */
  readonly pipes: string;
}

const inside = ['workspace', 'temp', 'runner', 'home', 'pipes'] as const;
/** What containers of the job get to see. */
const shown: readonly string[] = ['workspace', 'temp', 'runner'];

/** Tools that jobs share. An underscore cannot stand in the name of an environment. */
export const toolCacheName = 'tool_cache';

/** Where job folders go when the configuration does not say. */
export function defaultWorkdirParent(
  env: NodeJS.ProcessEnv,
  platform: NodeJS.Platform,
  home: string = homedir(),
): string {
  const join = platform === 'win32' ? path.win32.join : path.posix.join;
  const cache = platform === 'win32' ? env['LOCALAPPDATA'] : env['XDG_CACHE_HOME'];
  const fallback = platform === 'win32' ? join(home, 'AppData', 'Local') : join(home, '.cache');
  return join(cache === undefined || cache === '' ? fallback : cache, 'forgejo-runner-host');
}

/** The folders of the environment `name` below `parent`. */
export function jobFolders(parent: string, name: string): JobFolders {
  const root = path.join(parent, name);
  const below = (folder: (typeof inside)[number]): string => path.join(root, folder);
  return {
    root,
    workspace: below('workspace'),
    temp: below('temp'),
    runner: below('runner'),
    home: below('home'),
    pipes: below('pipes'),
  };
}

/** Makes the folder for job folders and the tool cache. @throws BackendError `unavailable`. */
export async function openWorkdirParent(parent: string): Promise<void> {
  try {
    await mkdir(parent, { recursive: true, mode: 0o700 });
    await mkdir(path.join(parent, toolCacheName), { recursive: true, mode: 0o700 });
  } catch (error) {
    throw unavailable(error, 'make the folder', parent);
  }
}

/**
 * Makes the folders of a job with their owner file: under a name that says whose they are until all is there, then
 * under their own name in one step. So whenever this process dies, the next one knows what to sweep.
 *
 * @throws BackendError `plan` when the name is taken or none, `unavailable` when the disk does not take it.
 */
export async function makeJobFolders(
  parent: string,
  content: OwnerFile,
  { hasContainers }: { readonly hasContainers: boolean } = { hasContainers: false },
): Promise<JobFolders> {
  const folders = jobFolders(parent, content.name);
  if (!namePattern.test(content.name)) throw wrongName(content.name);
  const draft = path.join(parent, draftName(content.owner, content.process));
  try {
    await openWorkdirParent(parent);
    await mkdir(draft, { mode: 0o700 });
    // The umask may have taken bits away.
    await chmod(draft, 0o700);
    await writeOwnerFile(draft, content);
    for (const folder of inside) await mkdir(path.join(draft, folder), { mode: 0o700 });
    if (hasContainers) {
      // Images have users of their own. Nobody else of this machine gets past the folder above.
      for (const folder of shown) await chmod(path.join(draft, folder), 0o777);
    }
    await rename(draft, folders.root);
    return folders;
  } catch (error) {
    await rm(draft, { recursive: true, force: true }).catch(() => {});
    throw createError(error, content.name, folders.root);
  }
}

function wrongName(name: string): BackendError {
  const shown = JSON.stringify(name.slice(0, 200));
  return new BackendError('plan', `expected a name of at most 40 characters of a-z, 0-9 and "-", found ${shown}`);
}

/** Whose a folder is that is still being made. */
export interface Draft {
  readonly folder: string;
  readonly pid: number;
  readonly started: string;
}

function runnerKey(owner: Owner): string {
  return createHash('sha256').update(owner.runner).digest('hex').slice(0, 16);
}

function draftName(owner: Owner, made: ProcessIdentity): string {
  const started = Buffer.from(made.started).toString('hex');
  return `.making.${runnerKey(owner)}.${made.pid}.${started}.${randomBytes(6).toString('hex')}`;
}

/** Folders that some process of this runner began to make. */
export async function listDrafts(parent: string, owner: Owner): Promise<Draft[]> {
  const drafts: Draft[] = [];
  for (const name of await namesIn(parent)) {
    const [, key, pid, started] = /^\.making\.([0-9a-f]{16})\.(\d+)\.([0-9a-f]*)\.[0-9a-f]{12}$/.exec(name) ?? [];
    if (key !== runnerKey(owner) || started === undefined) continue;
    drafts.push({
      folder: path.join(parent, name),
      pid: Number(pid),
      started: Buffer.from(started, 'hex').toString(),
    });
  }
  return drafts;
}

/** Folders below `parent` whose names could be those of environments. */
export async function listJobFolders(parent: string): Promise<string[]> {
  const names = (await namesIn(parent)).filter((name) => namePattern.test(name));
  return names.map((name) => path.join(parent, name));
}

async function namesIn(parent: string): Promise<string[]> {
  try {
    const entries = await readdir(parent, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch {
    return []; // nothing was ever made
  }
}
