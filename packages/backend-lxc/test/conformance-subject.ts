import { chmodSync, mkdirSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { factory } from '@forgejo-runner/backend-lxc';
import { type ConformanceOptions, defineConformance } from '@forgejo-runner/testkit';
import { debianSystem } from '../../../e2e/images/layers.ts';

// One folder for this process and for the child processes of the suite, which get it by their environment.
export const storage: string = (process.env['CONFORMANCE_LXC_STORAGE'] ??= join(
  tmpdir(),
  `conformance-lxc-${process.pid}`,
));
mkdirSync(storage, { recursive: true, mode: 0o711 });

const templates = { test: { rootfs: (await debianSystem()).file } };

/** What the conformance suite checks of this backend. Child processes that it kills load this module as well. */
export const conformance: ConformanceOptions = defineConformance({
  factory,
  label: process.env['CONFORMANCE_LXC_LABEL'] ?? 'test:lxc://test',
  config: { storage, templates },
  configBelow: (folder) => {
    // Root of an unprivileged container is a user that needs a way to its files.
    for (const one of [folder, dirname(folder)]) chmodSync(one, 0o711);
    return { storage: join(folder, 'lxc'), templates };
  },
  inventory: async () => readdirSync(join(storage, 'jobs')),
  subject: import.meta.filename,
});
