import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { BackendError } from '@forgejo-runner/core';

/** Absolute paths of the programs of the machine that make a sandbox and enter it. */
export interface Tools {
  readonly unshare: string;
  readonly nsenter: string;
  /** What comes before either: nothing, or the change to an ordinary user where the runner is root. */
  readonly prefix: readonly string[];
}

/**
 * Finds the programs. Absolute, because a job's `PATH` must not decide which one is run.
 *
 * @throws BackendError `config` that names those that are missing.
 */
export async function findTools(userId: number | undefined): Promise<Tools> {
  const [unshare, nsenter, setpriv] = await Promise.all([find('unshare'), find('nsenter'), find('setpriv')]);
  const missing = Object.entries({ unshare, nsenter, setpriv }).filter(([, path]) => path === undefined);
  if (unshare === undefined || nsenter === undefined || setpriv === undefined) {
    throw new BackendError('config', `expected the programs ${missing.map(([name]) => name).join(', ')}, found none`, {
      hint: 'install util-linux 2.36 or newer',
    });
  }
  const become = [setpriv, `--reuid=${userId}`, `--regid=${userId}`, '--clear-groups', '--'];
  return { unshare, nsenter, prefix: userId === undefined ? [] : become };
}

async function find(name: string): Promise<string | undefined> {
  for (const folder of ['/usr/bin', '/usr/sbin', '/bin', '/sbin', '/usr/local/bin', '/run/current-system/sw/bin']) {
    const path = join(folder, name);
    const found = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  return undefined;
}
