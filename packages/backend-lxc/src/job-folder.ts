import { chmod, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { BackendError, type CallContext } from '@forgejo-runner/core';
import { removeOwnedFolder } from '@forgejo-runner/kit';
import { layerFolders } from './container-config.ts';
import { type RootAccess, runAsRoot } from './root-access.ts';

/** What the container finds over its template from the beginning. */
export interface Layer {
  /** Folders by their paths inside. */
  readonly folders: readonly string[];
  /** Texts of files by their paths inside. */
  readonly files: Readonly<Record<string, string>>;
  /** The user of this machine who is root inside. */
  readonly rootId: number;
}

/** The part of the folder of a job that belongs to the user of the runner. */
export async function layFolder(draft: string): Promise<void> {
  // Root of an unprivileged container passes through; nobody else of the machine gets further than the next folder.
  await chmod(draft, 0o711);
  await mkdir(path.join(draft, 'pipes'), { mode: 0o700 });
}

// Arguments: the folder, the owner, how many folders, they, then names and texts of files.
const lay = [
  'set -e; umask 022; cd -- "$1"; owner=$2; count=$3; shift 3',
  `mkdir -m 0755 ${layerFolders.upper}; mkdir -m 0700 ${layerFolders.work}; mkdir -m 0711 ${layerFolders.docker}`,
  'while [ "$count" -gt 0 ]; do mkdir -p -- "upper$1"; count=$((count-1)); shift; done',
  'while [ $# -gt 0 ]; do printf %s "$2" > "upper$1"; chmod 0644 "upper$1"; shift 2; done',
  `chown -R "$owner:$owner" ${layerFolders.upper} ${layerFolders.work} ${layerFolders.docker}`,
].join('\n');

/** Lays the layer of a container, whose files belong to the users inside. @throws BackendError `unavailable`. */
export async function layLayer(root: RootAccess, folder: string, layer: Layer, ctx: CallContext): Promise<void> {
  const { folders, files, rootId } = layer;
  const args = [folder, String(rootId), String(folders.length), ...folders, ...Object.entries(files).flat()];
  const { code, stderr } = await runAsRoot(root, lay, args, ctx);
  if (code === 0) return;
  const isFull = /no space left/i.test(stderr);
  throw new BackendError('unavailable', `cannot lay the layer of a container: ${stderr.trim().slice(-400)}`, {
    resource: folder,
    retryable: !isFull,
    ...(isFull ? { hint: 'make room on the disk of "storage"' } : {}),
  });
}

/** Removes the folder of a job, the owner file last. Never rejects. */
export async function removeJobFolder(root: RootAccess, folder: string): ReturnType<typeof removeOwnedFolder> {
  await removeByRoot(
    root,
    Object.values(layerFolders).map((name) => path.join(folder, name)),
  );
  return removeOwnedFolder(folder);
}

/** What belongs to users that only root may act for. Root itself needs no help. */
export async function removeByRoot(root: RootAccess, trees: readonly string[]): Promise<void> {
  if (root.kind === 'root') return;
  const script = 'chattr -R -f -i -a -- "$@" 2>/dev/null; rm -rf --one-file-system -- "$@"';
  // What is left, the removal of the folder around it tells.
  await runAsRoot(root, script, trees, { signal: AbortSignal.timeout(60_000) }).catch(() => {});
}
