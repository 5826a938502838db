import { type BackendFactory, defineBackend } from '@forgejo-runner/core';
import { openBackend } from './backend.ts';
import { configSchema } from './config.ts';
import { labelSchema } from './label.ts';

/** The backend `__ID__`. Registered when this package is imported. */
export const factory: BackendFactory = defineBackend({
  id: '__ID__',
  description: 'Runs jobs in a folder of their own on this machine',
  config: configSchema,
  label: labelSchema,
  create: openBackend,
});
