import type { Capabilities, StandardSchemaV1 } from '@forgejo-runner/core';
import * as z from 'zod';
import { folderSchema } from './config.ts';

/** Options of a label, such as `small:chroot?network=none&mount=/opt/sdk`. */
export interface ChrootLabel {
  /** `host` shares the machine's network, `none` has only the loopback. */
  readonly network: 'host' | 'none';
  /** Folders of the machine that this label's sandboxes see as well, read-only. */
  readonly mount: readonly string[];
}

export const labelSchema: StandardSchemaV1<unknown, ChrootLabel> = z.strictObject({
  network: z.enum(['host', 'none']).prefault('host'),
  // The string form gives one value as a string and several as an array.
  mount: z.union([z.array(folderSchema), folderSchema.transform((one) => [one])]).prefault([]),
});

/** What a sandbox can do, whatever its options are. */
export const capabilities: Capabilities = {
  containers: { via: 'none' },
  exec: { stdin: true, tty: false, user: false, signals: false, resume: false },
  files: { ownership: false, shared: false },
  isolation: 'container',
  recover: false,
  features: ['acme.chroot'],
};
