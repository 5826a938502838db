import { createHash, randomBytes } from 'node:crypto';
import { chmod, mkdir, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { BackendError, type Owner } from '@forgejo-runner/core';
import { errnoOf, fileError } from './file-errors.ts';
import { namePattern, type OwnerFile, ownerFileName, readOwnerFile, writeOwnerFile } from './owner-file.ts';
import type { ProcessIdentity } from './process-identity.ts';
import { emptyTree, removal, removeTree, type TreeRemoval } from './remove-tree.ts';

/**
 * Makes the folder of an environment with its owner file: under a name that says whose it is until `lay` has put
 * everything there, then under the name of the environment in one step. So whenever this process dies, the next one
 * knows what to sweep. `parent` must be there. Returns the folder.
 *
 * @throws BackendError `plan` when the name is taken or none, `unavailable` when the disk does not take it.
 */
export async function makeOwnedFolder(
  parent: string,
  content: OwnerFile,
  lay: (draft: string) => Promise<void>,
): Promise<string> {
  if (!namePattern.test(content.name)) throw wrongName(content.name);
  const root = path.join(parent, content.name);
  const draft = path.join(parent, draftName(content.owner, content.process));
  try {
    await mkdir(draft, { mode: 0o700 });
    // The umask may have taken bits away.
    await chmod(draft, 0o700);
    await writeOwnerFile(draft, content);
    await lay(draft);
    await rename(draft, root);
    return root;
  } catch (error) {
    await rm(draft, { recursive: true, force: true }).catch(() => {});
    throw makeError(error, content.name, root);
  }
}

/**
 * Removes the folder of an environment, whatever modes a job left there. As long as something is in it, it keeps its name and
 * its owner file; then it gets the name of a folder that is being made, so that it is never nobody's, whenever this process dies.
 */
export async function removeOwnedFolder(folder: string): Promise<TreeRemoval> {
  const owned = await readOwnerFile(folder);
  if (owned === undefined) return removeTree(folder, ownerFileName);
  const draft = path.join(path.dirname(folder), draftName(owned.owner, owned.process));
  return removal(async () => {
    await emptyTree(folder, ownerFileName);
    await rename(folder, draft);
    await rm(draft, { recursive: true, force: true });
  });
}

function wrongName(name: string): BackendError {
  const shown = JSON.stringify(name.slice(0, 200));
  return new BackendError('plan', `expected a name of at most 40 characters of a-z, 0-9 and "-", found ${shown}`);
}

function makeError(error: unknown, name: string, folder: string): BackendError {
  const code = errnoOf(error);
  if (code !== 'EEXIST' && code !== 'ENOTEMPTY' && code !== 'ENOTDIR')
    return folderUnavailable(error, 'make the job folder', folder);
  return new BackendError('plan', `expected a name that is free, found an environment "${name}" already`, {
    resource: folder,
    cause: error,
    hint: 'choose another name for each attempt',
  });
}

/** A folder of a backend's own does not work: that is the machine's fault and never the job's. */
export function folderUnavailable(error: unknown, action: string, folder: string): BackendError {
  const known = fileError(error, action, folder);
  if (known.code !== 'plan' && known.code !== 'not_found') return known;
  return new BackendError('unavailable', known.message, known.details);
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
export async function listDrafts(parent: string, owner: Owner): Promise<readonly Draft[]> {
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
export async function listOwnedFolders(parent: string): Promise<readonly string[]> {
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
