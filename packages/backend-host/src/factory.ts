import { type BackendFactory, defineBackend } from '@forgejo-runner/core';
import { openHostBackend } from './backend.ts';
import { configSchema } from './config.ts';
import { labelSchema } from './label.ts';

/** The backend `host`: jobs run as processes of this machine, as the user of the runner. */
export const factory: BackendFactory = defineBackend({
  id: 'host',
  description: 'Runs jobs as processes of this machine, without isolation',
  config: configSchema,
  label: labelSchema,
  create: (config) => openHostBackend(config),
});
