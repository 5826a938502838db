import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import path from 'node:path';
import type { FactoryInput, TypedBackend } from '@forgejo-runner/core';
import { cancelled, folderUnavailable, markerOf, sweepOwnedFolders, thisMachine } from '@forgejo-runner/kit';
import type { Config } from './config.ts';
import { type JobEnvironment, openEnvironment, removeEnvironment } from './environment.ts';
import { capabilities, type LabelOptions } from './label.ts';

/** Opens the backend. What it opens lives as long as the runner. @throws BackendError `unavailable` */
export async function openBackend(config: Config, input: FactoryInput): Promise<TypedBackend<LabelOptions>> {
  const parent = config.workdir_parent ?? path.join(input.stateDir, 'jobs');
  await openParent(parent);
  const machine = thisMachine();
  const living = new Map<string, JobEnvironment>();
  let making = 0;
  return {
    describeLabel: async () => capabilities,
    createEnvironment: async (request, ctx) => {
      making += 1;
      try {
        const onRemoved = (): void => void living.delete(request.name);
        const environment = await openEnvironment({ parent, machine, onRemoved }, request, ctx.signal);
        living.set(request.name, environment);
        if (!ctx.signal.aborted) return environment;
        await environment.remove();
        throw cancelled(`making environment "${request.name}"`);
      } finally {
        making -= 1;
      }
    },
    // What a killed runner left says itself whose it is: kit finds it by the owner file in each folder.
    sweep: (request) =>
      sweepOwnedFolders(
        {
          parent,
          machine,
          living: new Set(living.keys()),
          isMaking: () => making > 0,
          remove: (root, { marker }) => removeEnvironment(root, markerOf('ENV', marker), machine.table),
        },
        request,
      ),
    health: async () => {
      try {
        await access(parent, constants.W_OK | constants.X_OK);
        return { status: 'ok' };
      } catch (error) {
        return { status: 'down', detail: folderUnavailable(error, 'use', parent).message };
      }
    },
    [Symbol.asyncDispose]: async () => {
      for (const environment of living.values()) environment.forget();
    },
  };
}

async function openParent(parent: string): Promise<void> {
  try {
    await mkdir(parent, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw folderUnavailable(error, 'make', parent);
  }
}
