import { chmod, chown, copyFile, lstat, mkdir, readlink, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Paths as steps see them. */
export const insidePaths = {
  workspace: '/workspace',
  temp: '/tmp',
  toolCache: '/opt/toolcache',
  runner: '/run/runner',
  home: '/home/runner',
} as const;

const systemFolders = ['/usr', '/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32'];
const etcFolders = ['/etc/alternatives', '/etc/ssl', '/etc/ca-certificates', '/etc/pki', '/etc/terminfo'];
const etcFiles = [
  'hosts',
  'resolv.conf',
  'nsswitch.conf',
  'ld.so.cache',
  'localtime',
  'mime.types',
  'services',
  'protocols',
];

/** Who is who in a sandbox: its root is the runner's user outside. Nobody else of the machine has a name here. */
const passwd = `root:x:0:0:root:${insidePaths.home}:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n`;

/**
 * Fills an empty folder so that it can become the root of a sandbox: its own folders, places to mount at, and copies of
 * the few files of `/etc` that programs need. `/etc` itself is not shown: it holds what is nobody's business.
 *
 * @returns the folders of the machine to mount, read-only, at the same place.
 */
export async function layOutRoot(root: string, mounts: readonly string[], userId?: number): Promise<readonly string[]> {
  const own = [...Object.values(insidePaths), '/dev', '/proc', '/old', '/etc', '/var/tmp'];
  for (const folder of own) await mkdir(join(root, folder), { recursive: true, mode: 0o755 });
  await chmod(join(root, insidePaths.temp), 0o1777);
  const shown: string[] = [];
  for (const path of systemFolders) {
    const entry = await lstat(path).catch(() => undefined);
    if (entry?.isSymbolicLink() === true) await symlink(await readlink(path), join(root, path));
    else if (entry?.isDirectory() === true) shown.push(path);
  }
  for (const path of [...etcFolders, ...mounts]) {
    if (await isFolder(path)) shown.push(path);
  }
  for (const path of shown) await mkdir(join(root, path), { recursive: true, mode: 0o755 });
  for (const name of etcFiles) {
    // Followed on purpose: resolv.conf is a link to a place that the sandbox does not have.
    await copyFile(join('/etc', name), join(root, 'etc', name)).catch(() => {});
  }
  await writeFile(join(root, 'etc', 'passwd'), passwd);
  await writeFile(join(root, 'etc', 'group'), 'root:x:0:\nnogroup:x:65534:\n');
  if (userId !== undefined) await giveTo(userId, root, [...own, ...shown]);
  return [...new Set(shown)];
}

async function isFolder(path: string): Promise<boolean> {
  const entry = await stat(path).catch(() => undefined);
  return entry?.isDirectory() === true;
}

async function giveTo(userId: number, root: string, folders: readonly string[]): Promise<void> {
  const all = new Set([root]);
  for (const folder of folders) {
    for (let path = join(root, folder); path !== root; path = dirname(path)) all.add(path);
  }
  for (const path of all) await chown(path, userId, userId);
}
