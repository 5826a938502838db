import { posix, win32 } from 'node:path';
import type { EnvironmentInfo } from '@forgejo-runner/core';

/** Joins paths in the style of the environment, which need not be that of the runner. */
export function joinInside(info: EnvironmentInfo, ...parts: readonly string[]): string {
  return info.pathStyle === 'win32' ? win32.join(...parts) : posix.join(...parts);
}

/** A path of a workflow as an absolute one: relative ones start at the workspace. */
export function resolveInside(info: EnvironmentInfo, path: string): string {
  const style = info.pathStyle === 'win32' ? win32 : posix;
  return style.resolve(info.paths.workspace, path);
}

/** Is an absolute path of the environment at or below a folder of it? */
export function isBelow(info: EnvironmentInfo, folder: string, path: string): boolean {
  const style = info.pathStyle === 'win32' ? win32 : posix;
  const relative = style.relative(folder, path);
  // A name may begin with two dots.
  return relative !== '..' && !relative.startsWith(`..${style.sep}`) && !style.isAbsolute(relative);
}

/** File in which steps find the payload of the event. */
export function eventPath(info: EnvironmentInfo): string {
  return joinInside(info, info.paths.runner, 'event.json');
}

/** The runner's own folder for one step. `key` is unique in the job, and short. */
export function stepFolder(info: EnvironmentInfo, key: string): string {
  return joinInside(info, info.paths.runner, 'steps', key);
}
