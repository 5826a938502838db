import { lstat, readdir } from 'node:fs/promises';
import path from 'node:path';
import { UserError } from '../user-error.ts';
import type { ArchiveEntry, ArchiveSource } from './archive.ts';
import type { Target } from '../package/target.ts';
import type { AskedRunner } from './ask-runner.ts';

/**
 * What every archive has beside the executable, as it lies below a prefix such as `/usr/local`: what the runner prints
 * of itself, and the files of the distribution, which win.
 *
 * @throws UserError `FRB506`
 */
export async function installedFiles(
  runner: AskedRunner,
  own: readonly ArchiveEntry[],
): Promise<readonly ArchiveEntry[]> {
  const [manPage, bash, zsh, fish, config] = await Promise.all([
    runner.ask('man-page'),
    runner.ask('completion', 'bash'),
    runner.ask('completion', 'zsh'),
    runner.ask('completion', 'fish'),
    runner.ask('generate-config'),
  ]);
  const files = new Map<string, ArchiveEntry>();
  const put = (at: string, source: ArchiveSource): void => {
    files.set(at, { path: at, source, isExecutable: false });
  };
  put('share/man/man1/forgejo-runner.1', { contents: manPage });
  put('share/bash-completion/completions/forgejo-runner', { contents: bash });
  put('share/zsh/site-functions/_forgejo-runner', { contents: zsh });
  put('share/fish/vendor_completions.d/forgejo-runner.fish', { contents: fish });
  put('share/doc/forgejo-runner/config.example.yml', { contents: config });
  for (const entry of own) files.set(entry.path, entry);
  return [...files.values()];
}

/** All that an archive of a target has. Units of systemd and the like are for Linux, manual pages for what has a man. */
export function archiveEntries(
  target: Target,
  executable: string,
  installed: readonly ArchiveEntry[],
): readonly ArchiveEntry[] {
  const isWindows = target.startsWith('win-');
  const elsewhere = target.startsWith('linux-') ? undefined : isWindows ? windowsLacks : macLacks;
  const name = isWindows ? 'bin/forgejo-runner.exe' : 'bin/forgejo-runner';
  return [
    ...installed.filter((entry) => elsewhere?.test(entry.path) !== true),
    { path: name, source: { file: executable }, isExecutable: true },
  ];
}

const macLacks = /^lib\/(?:systemd|sysusers\.d|tmpfiles\.d)\//;
const windowsLacks = /^(?:lib\/(?:systemd|sysusers\.d|tmpfiles\.d)|share\/(?:man|bash-completion|zsh|fish))\//;

/** The files of a distribution. @throws UserError `FRB210` */
export async function ownFiles(folder: string | undefined): Promise<readonly ArchiveEntry[]> {
  if (folder === undefined) return [];
  const names = await readdir(folder, { recursive: true }).catch((cause: NodeJS.ErrnoException) => {
    throw new UserError('FRB210', `distribution.files: expected a folder at ${folder}, found none`, { cause });
  });
  const found: ArchiveEntry[] = [];
  for (const name of names) {
    const absolute = path.join(folder, name);
    const entry = await lstat(absolute);
    if (entry.isDirectory()) continue;
    if (!entry.isFile()) {
      throw new UserError('FRB210', `distribution.files: expected files and folders, found something else`, {
        where: absolute,
        next: 'put the file itself there: a link means something else where the archive is unpacked',
      });
    }
    // Of the mode only this one bit means the same everywhere.
    const isExecutable = (entry.mode & 0o100) !== 0;
    found.push({ path: name.replaceAll(path.sep, '/'), source: { file: absolute }, isExecutable });
  }
  return found;
}
