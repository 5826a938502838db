import { chmod, mkdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import path from 'node:path';
import { folderUnavailable, makeOwnedFolder, type OwnerFile } from '@forgejo-runner/kit';

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
    throw folderUnavailable(error, 'make the folder', parent);
  }
}

/**
 * Makes the folders of a job with their owner file.
 *
 * @throws BackendError `plan` when the name is taken or none, `unavailable` when the disk does not take it.
 */
export async function makeJobFolders(
  parent: string,
  content: OwnerFile,
  { hasContainers }: { readonly hasContainers: boolean } = { hasContainers: false },
): Promise<JobFolders> {
  await openWorkdirParent(parent);
  await makeOwnedFolder(parent, content, async (draft) => {
    for (const folder of inside) await mkdir(path.join(draft, folder), { mode: 0o700 });
    if (!hasContainers) return;
    // Images have users of their own. Nobody else of this machine gets past the folder above.
    for (const folder of shown) await chmod(path.join(draft, folder), 0o777);
  });
  return jobFolders(parent, content.name);
}
