import { mkdirSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { factory } from '@forgejo-runner/backend-host';
import { type ConformanceOptions, defineConformance } from '@forgejo-runner/testkit';

// One folder for this process and for the child processes of the suite, which get it by their environment.
export const parent: string = (process.env['CONFORMANCE_HOST_PARENT'] ??= join(
  tmpdir(),
  `conformance-host-${process.pid}`,
));
mkdirSync(parent, { recursive: true, mode: 0o700 });

/** What the conformance suite checks of this backend. Child processes that it kills load this module as well. */
export const conformance: ConformanceOptions = defineConformance({
  factory,
  label: 'test:host',
  config: { workdir_parent: parent },
  configBelow: (folder) => ({ workdir_parent: join(folder, 'jobs') }),
  inventory: async () => readdirSync(parent).filter((name) => name !== 'tool_cache'),
  exceptions: {
    C17: 'processes of a frozen runner go on until it wakes up or is started anew: nobody else watches them',
  },
  subject: import.meta.filename,
});
