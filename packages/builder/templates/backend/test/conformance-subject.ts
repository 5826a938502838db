import { mkdirSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConformanceOptions, defineConformance } from '@forgejo-runner/testkit';
import { factory } from '../src/index.ts';

// One folder for this process and for the child processes of the suite, which get it by their environment.
export const parent: string = (process.env['CONFORMANCE_PARENT'] ??= join(
  tmpdir(),
  `conformance-__ID__-${process.pid}`,
));
mkdirSync(parent, { recursive: true, mode: 0o700 });

/** What the conformance suite checks. Child processes that it kills load this module as well. */
export const conformance: ConformanceOptions = defineConformance({
  factory,
  label: 'test:__ID__',
  labels: ['other:__ID__?pass=LANG&pass=TZ'],
  config: { workdir_parent: parent },
  configBelow: (folder) => ({ workdir_parent: join(folder, 'jobs') }),
  // What is on the platform: the suite compares lists from before and after.
  inventory: async () => readdirSync(parent),
  exceptions: {
    C17: 'processes of a frozen runner go on until it wakes up or is started anew: nobody else watches them',
  },
  subject: import.meta.filename,
});
