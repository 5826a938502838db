import { type BackendFactory, factories } from '@forgejo-runner/core';
import * as z from 'zod';
import { openGrpcBackend } from './backend.ts';
import { configSchema, type GrpcConfig } from './config.ts';
import { serveBackend } from './serve.ts';

/** The backend `grpc`: jobs run wherever a plugin in another process, language or machine runs them. */
export const factory: BackendFactory = {
  api: 1,
  id: 'grpc',
  description: 'Runs jobs on plugins behind gRPC, in any language',
  configSchema,
  jsonSchema: () => ({ config: z.toJSONSchema(configSchema, { io: 'input' }) }),
  // The runner validated it with this schema.
  create: (input, ctx) => openGrpcBackend(input.config as GrpcConfig, input, ctx),
  serve: (backend, request) => serveBackend(backend, request),
};

// By hand and not by `defineBackend`: what a label means, and what it can do, only the plugin knows.
factories.register(factory);
