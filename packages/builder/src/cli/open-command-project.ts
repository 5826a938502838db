import path from 'node:path';
import { lockFileOf } from '../manifest/load-manifest.ts';
import { openProject, type Project } from '../manifest/project.ts';
import { findInstallation } from '../resolve/installation.ts';
import type { LockOptions } from '../resolve/resolve-project.ts';
import type { BuildFlags } from './flags.ts';

/** A project with how its lock is to be used. */
export interface CommandProject extends Project {
  readonly lock: LockOptions;
}

/** The project that flags choose: its manifest, with them on top. */
export async function openCommandProject(flags: BuildFlags, cwd: string): Promise<CommandProject> {
  const file = flags.manifest === true ? undefined : flags.manifest;
  const project = await openProject({ cwd, file, flags, version: findInstallation().version });
  const isOffline = flags.offline ?? false;
  if (project.file === undefined) return { ...project, lock: { isOffline } };
  const isCi = !['', '0', 'false'].includes(process.env['CI'] ?? '');
  return {
    ...project,
    lock: {
      isOffline,
      lockFile: lockFileOf(project.file),
      isFrozen: flags.frozen ?? isCi,
      // Asked for this once: what the manifest is locked to stays.
      isLockKept: [flags.with, flags.without, flags.replace].some((list) => list !== undefined),
    },
  };
}

/** The cache that flags name, for the options of the library. */
export function cacheOption(flags: { readonly cacheDir?: string }, cwd: string): { readonly cacheDir?: string } {
  return flags.cacheDir === undefined ? {} : { cacheDir: path.resolve(cwd, flags.cacheDir) };
}
