import { posix } from 'node:path';
import type { DelegationRequest, EnvironmentRequest } from '@forgejo-runner/core';
import type { JobFolders } from './job-place.ts';
import { sameBind, volumeMount } from './volumes.ts';

/** Where the Go runner has its own files, so that images made for it fit. */
const runnerFolder = '/var/run/act';

/** Folders of a job whose machine is a container: two volumes that its other containers share. */
export function ownFolders(
  { name, task }: Pick<EnvironmentRequest, 'name' | 'task'>,
  workdirParent: string,
): JobFolders {
  const paths = {
    workspace: posix.join(workdirParent, ...workspaceParts(task.repository)),
    runner: runnerFolder,
    temp: posix.join(runnerFolder, '_temp'),
    toolCache: '/opt/hostedtoolcache',
  };
  const [workspace, runner] = [`${name}-workspace`, `${name}-runner`];
  return {
    paths,
    volumes: [workspace, runner],
    mounts: [volumeMount(workspace, paths.workspace), volumeMount(runner, paths.runner)],
    given: [paths.workspace, paths.runner, paths.temp, paths.toolCache],
  };
}

/**
 * Folders of a job whose machine is elsewhere: containers find them at the same paths. An engine that does not see
 * them gets volumes, which a job container has to itself; without one there is nothing that steps could share.
 */
export function machineFolders({ endpoint, environment, info }: DelegationRequest): JobFolders {
  const { workspace, temp, toolCache, runner } = info.paths;
  const paths = { workspace, temp, toolCache, runner };
  if (endpoint.binds === 'target-paths') {
    return { paths, volumes: [], mounts: outermost([workspace, temp, toolCache, runner]).map(sameBind), given: [] };
  }
  if (environment.plan.jobContainer === undefined) return { paths, volumes: [], mounts: [], given: [] };
  const own = [
    { volume: `${environment.name}-workspace`, folder: workspace },
    { volume: `${environment.name}-temp`, folder: temp },
    { volume: `${environment.name}-runner`, folder: runner },
  ];
  return {
    paths,
    volumes: own.map(({ volume }) => volume),
    mounts: own.map(({ volume, folder }) => volumeMount(volume, folder)),
    given: [workspace, temp, runner, toolCache],
  };
}

/** A folder inside another one is there with it. */
function outermost(folders: readonly string[]): readonly string[] {
  return [...new Set(folders)].filter((folder) => !folders.some((other) => folder.startsWith(`${other}/`)));
}

/** Owner and name, as parts of a path that cannot lead out of their parent. */
function workspaceParts(repository: string): readonly string[] {
  const parts = repository.split('/').filter((part) => /^[\w.-]+$/.test(part) && part !== '.' && part !== '..');
  return parts.length === 0 ? ['job'] : parts.map((part) => part.slice(0, 100));
}
