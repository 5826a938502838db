import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { CallContext, DelegatedContainers, EnvironmentInfo, StepContainerSpec } from '@forgejo-runner/core';
import { messageOf } from './backend-errors.ts';

/** Who removes the folders of a job in the end. */
export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

/** Folders of a job, and the images that it had containers from. */
export interface HandBack {
  readonly info: EnvironmentInfo;
  /** Where the runner finds a folder of the machine. */
  readonly sharedPath: (path: string) => string | undefined;
  readonly images: Iterable<string>;
}

/** The user of this process, unless it is root, or nobody as on Windows. */
export function ordinaryUser(): FileOwner | undefined {
  const uid = process.getuid?.();
  return uid === undefined || uid === 0 ? undefined : { uid, gid: process.getgid?.() ?? uid };
}

/**
 * Has one more container give files that containers made as another user to the owner of the job's folders, who could
 * not remove them. Never rejects: what stays is reported when the folders are removed.
 */
export async function handBackFiles(
  containers: Pick<DelegatedContainers, 'createStepContainer'>,
  { info, sharedPath, images }: HandBack,
  owner: FileOwner,
  ctx: CallContext,
): Promise<void> {
  const { workspace, temp, runner } = info.paths;
  const foreign = async (): Promise<readonly string[]> => {
    const folders = [workspace, temp, runner].map(async (folder) => {
      const here = sharedPath(folder);
      return here !== undefined && (await hasForeign(here, owner.uid)) ? [folder] : [];
    });
    return (await Promise.all(folders)).flat();
  };
  let folders = await foreign();
  // Which of them has a chown is not known; most have.
  for (const image of images) {
    // The second is for rootless engines, where root in a container is the user outside.
    for (const to of [`${owner.uid}:${owner.gid}`, '0:0']) {
      if (folders.length === 0) return;
      if (await runs(containers, chownSpec(image, to, folders), ctx)) folders = await foreign();
    }
  }
}

function chownSpec(image: string, to: string, folders: readonly string[]): StepContainerSpec {
  return {
    kind: 'step',
    stepId: 'hand-back',
    workdir: '/',
    image,
    pull: 'never',
    env: {},
    mounts: [],
    ports: [],
    entrypoint: ['chown'],
    // Links themselves, not what they lead to.
    cmd: ['-R', '-h', to, ...folders],
    options: { user: '0' },
  };
}

async function runs(
  containers: Pick<DelegatedContainers, 'createStepContainer'>,
  spec: StepContainerSpec,
  ctx: CallContext,
): Promise<boolean> {
  try {
    const container = await containers.createStepContainer(spec, ctx);
    try {
      const result = await container.run({ stdout: ignore, stderr: ignore }, ctx).result;
      return result.kind === 'exited' && result.code === 0;
    } finally {
      await container.remove(ctx);
    }
  } catch (error) {
    ctx.log.debug('could not hand files of a job back', { image: spec.image, error: messageOf(error) });
    return false;
  }
}

async function hasForeign(folder: string, uid: number): Promise<boolean> {
  const waiting = [folder];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const entries = await readdir(next, { withFileTypes: true }).catch(() => []);
    for (const entry of entries) {
      const path = join(next, entry.name);
      const found = await lstat(path).catch(() => undefined);
      if (found !== undefined && found.uid !== uid) return true;
      if (found?.isDirectory() === true) waiting.push(path);
    }
  }
  return false;
}

function ignore(): void {}
