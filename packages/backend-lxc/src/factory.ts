import { type BackendFactory, defineBackend } from '@forgejo-runner/core';
import { openLxcBackend } from './backend.ts';
import { configSchema } from './config.ts';
import { labelSchema } from './label.ts';

/** The backend `lxc`: each job gets a system container of its own, a copy-on-write clone of a template. */
export const factory: BackendFactory = defineBackend({
  id: 'lxc',
  description: 'Runs jobs in LXC containers of this machine',
  config: configSchema,
  label: labelSchema,
  create: (config, _input, ctx) => openLxcBackend(config, ctx),
});
