import { openProject, type Project } from '../manifest/project.ts';
import { findInstallation } from '../resolve/installation.ts';
import type { BuildFlags } from './flags.ts';

/** The project that flags choose: its manifest, with them on top. */
export function openCommandProject(flags: BuildFlags, cwd: string): Promise<Project> {
  const file = flags.manifest === true ? undefined : flags.manifest;
  return openProject({ cwd, file, flags, version: findInstallation().version });
}
