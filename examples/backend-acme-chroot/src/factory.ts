import { type BackendFactory, defineBackend } from '@forgejo-runner/core';
import { openBackend } from './backend.ts';
import { configSchema } from './config.ts';
import { labelSchema } from './label.ts';

/** Runs jobs in a sandbox of Linux namespaces. Registered when this package is imported. */
export const factory: BackendFactory = defineBackend({
  id: 'chroot',
  description: 'Runs jobs in an unprivileged sandbox of Linux namespaces, on the programs of the machine',
  config: configSchema,
  label: labelSchema,
  create: openBackend,
});
