import { readdir } from 'node:fs/promises';
import type { Capabilities, ExecutionEnvironment } from '@forgejo-runner/core';
import { openTempFolder, type RecordedCall, type ReferenceBackend, type TempFolder } from '@forgejo-runner/testkit';
import { afterEach, beforeEach, vi } from 'vitest';

/** Claims every kind of container. */
export const native: Partial<Capabilities> = {
  containers: {
    via: 'native',
    job: true,
    services: true,
    steps: true,
    build: true,
    fields: ['env', 'ports', 'volumes', 'credentials'],
  },
};

/** The calls of one method that a backend got. */
export function calls({ log }: ReferenceBackend, method: string): readonly RecordedCall[] {
  return log.filter((call) => call.method === method);
}

/** A backend whose environments are changed before the runner gets them. */
export function altered(
  backend: ReferenceBackend,
  change: (environment: ExecutionEnvironment) => object,
): ReferenceBackend {
  const create: ReferenceBackend['factory']['create'] = async (input, ctx) => {
    const made = await backend.factory.create(input, ctx);
    return {
      ...made,
      createEnvironment: async (request, call) => {
        const environment = await made.createEnvironment(request, call);
        return { ...environment, ...change(environment) };
      },
    };
  };
  return { ...backend, factory: { ...backend.factory, create } };
}

/** Has environments made in a folder of the test's own: whatever a test leaves there is a leak and fails it. */
export function failOnLeaks(): void {
  let folder: TempFolder;
  beforeEach(async () => {
    folder = await openTempFolder();
    vi.stubEnv('TMPDIR', folder.path);
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    const left = await readdir(folder.path);
    await folder[Symbol.asyncDispose]();
    if (left.length > 0) throw new Error(`expected nothing to be left behind, found ${left.join(', ')}`);
  });
}
