import { chmodSync, mkdirSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConformanceOptions, defineConformance } from '@forgejo-runner/testkit';
import { factory } from '../src/index.ts';

// One folder for this process and for the child processes of the suite, which get it by their environment.
const parent = (process.env['CONFORMANCE_CHROOT_PARENT'] ??= join(tmpdir(), `conformance-chroot-${process.pid}`));
mkdirSync(parent, { recursive: true });
chmodSync(parent, 0o711);

/** Removes what the suite left, which is nothing but empty folders. */
export async function removeParent(): Promise<void> {
  await rm(parent, { recursive: true, force: true });
}

/** What the suite checks of this backend. Child processes that it kills load this module as well. */
export const conformance: ConformanceOptions = defineConformance({
  factory,
  label: 'test:chroot',
  labels: ['offline:chroot?network=none&mount=/usr'],
  config: { workdir_parent: parent },
  // A folder for each runner, which stays, and in it one for each sandbox.
  inventory: async () => {
    const runners = readdirSync(parent).map((name) => join(parent, name));
    return runners.flatMap((runner) => readdirSync(runner).map((name) => join(runner, name)));
  },
  subject: import.meta.filename,
});
