import path from 'node:path';
import { fetchPackages } from '../fetch.ts';
import type { OutputSettings } from '../manifest/load-manifest.ts';
import { hostTarget, type Target } from '../package/target.ts';
import { vendorFolder } from '../resolve/vendor.ts';
import { exitCodes } from './exit-codes.ts';
import type { ProjectFlags } from './flags.ts';
import { cacheOption, openCommandProject } from './open-command-project.ts';
import { openProgress } from './print-progress.ts';

/** Platforms whose Node the build of a manifest needs. */
function targetsOf({ isExecutable, targets }: OutputSettings): readonly Target[] {
  if (isExecutable === false) return [];
  const host = hostTarget();
  return targets ?? (isExecutable === true && host !== undefined ? [host] : []);
}

/** The commands `fetch` and, with a folder to write into, `vendor`. Resolves to its exit code. */
export async function fetchCommand(flags: ProjectFlags, isVendoring: boolean, signal: AbortSignal): Promise<number> {
  const cwd = process.cwd();
  const project = await openCommandProject(flags, cwd);
  const dir = vendorFolder(project.file === undefined ? cwd : path.dirname(project.file));
  await using progress = await openProgress(flags.logFormat, isVendoring ? ['resolve', 'vendor'] : ['resolve']);
  await fetchPackages({
    ...project.lock,
    ...cacheOption(flags, cwd),
    manifest: project.manifest,
    cwd,
    targets: targetsOf(project.output),
    signal,
    onEvent: progress.onEvent,
    ...(isVendoring ? { vendorDir: dir } : {}),
  });
  return exitCodes.done;
}
