import { createHash } from 'node:crypto';
import { lstat, mkdir, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { BackendError, type BackendHealth, type FactoryInput, type TypedBackend } from '@forgejo-runner/core';
import type { ChrootConfig } from './config.ts';
import { createEnvironment, type Place } from './environment.ts';
import { capabilities, type ChrootLabel } from './label.ts';
import { platformError } from './platform-errors.ts';
import { sweep } from './sweep.ts';
import { findTools } from './tools.ts';

/** Opens the backend: finds its programs and makes its folder. */
export async function openBackend(config: ChrootConfig, input: FactoryInput): Promise<TypedBackend<ChrootLabel>> {
  if (process.platform !== 'linux') {
    throw new BackendError('config', `expected Linux, found ${process.platform}`, {
      hint: 'remove the labels of this backend',
    });
  }
  // Root inside is the owner outside. That must not be the root of the machine.
  const userId = process.getuid?.() === 0 ? config.user_id : undefined;
  const tools = await findTools(userId);
  const parent = await openParent(config, input.owner.runner);
  if (userId !== undefined) await checkPassage(parent, userId);
  const place: Place = { tools, userId, parent, mounts: config.mounts };
  return {
    describeLabel: async () => capabilities,
    createEnvironment: (request, ctx) => createEnvironment(place, request, ctx),
    sweep: (request) => sweep(place.parent, request),
    health: () => health(place),
    [Symbol.asyncDispose]: async () => {},
  };
}

/** One folder for each runner. Where the runner is root, another user must be able to go through it. */
async function openParent(config: ChrootConfig, runner: string): Promise<string> {
  const id = createHash('sha256').update(runner).digest('hex').slice(0, 16);
  const parent = join(config.workdir_parent ?? tmpdir(), `acme-chroot-${id}`);
  try {
    await mkdir(parent, { recursive: true, mode: 0o711 });
    const entry = await lstat(parent);
    // In a folder where everybody may write, somebody else may have been first.
    if (!entry.isDirectory() || entry.uid !== process.getuid?.()) {
      throw new BackendError('config', `expected a folder of the runner's own at ${parent}, found somebody else's`, {
        hint: 'set workdir_parent in the section of this backend',
      });
    }
    return parent;
  } catch (error) {
    throw platformError(error, 'make', parent);
  }
}

/** Every folder on the way must let the owner of the sandboxes through. */
async function checkPassage(parent: string, userId: number): Promise<void> {
  for (let folder = await realpath(parent); folder !== '/'; folder = dirname(folder)) {
    const { mode, uid } = await lstat(folder);
    if ((mode & 0o001) !== 0 || (uid === userId && (mode & 0o100) !== 0)) continue;
    throw new BackendError(
      'config',
      `expected a way to ${parent} for user ${userId}, found ${folder} closed to others`,
      {
        resource: folder,
        hint: 'set workdir_parent to a folder that others may pass through',
      },
    );
  }
}

async function health(place: Place): Promise<BackendHealth> {
  try {
    await lstat(place.parent);
    return { status: 'ok' };
  } catch (error) {
    return { status: 'down', detail: platformError(error, 'find', place.parent).message };
  }
}
