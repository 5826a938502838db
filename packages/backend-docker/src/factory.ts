import { type BackendFactory, defineBackend } from '@forgejo-runner/core';
import { openDockerBackend } from './backend.ts';
import { configSchema } from './config.ts';
import { labelSchema } from './label.ts';

/** The backend `docker`: jobs run in containers of a Docker-compatible engine. */
export const factory: BackendFactory = defineBackend({
  id: 'docker',
  description: 'Runs jobs in containers of a Docker-compatible engine',
  config: configSchema,
  label: labelSchema,
  create: (config, input, ctx) => openDockerBackend(config, input, ctx),
});
