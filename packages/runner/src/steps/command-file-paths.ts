import type { EnvironmentInfo } from '@forgejo-runner/core';
import { joinInside } from '../environment/job-paths.ts';

/** Command files by their key in the `github` context. The names are part of no promise: steps learn them by variable. */
export const commandFileKeys: readonly string[] = ['env', 'output', 'path', 'state', 'step_summary'];

/** Where a step finds its command files, by key of the `github` context. */
export function commandFilePaths(info: EnvironmentInfo, folder: string): [key: string, path: string][] {
  return commandFileKeys.map((key) => [key, joinInside(info, folder, 'commands', key)]);
}
