import { expect, it } from 'vitest';
import type { CallContext } from './call-context.ts';
import type { Capabilities } from './capabilities.ts';
import { type BackendDefinition, defineBackend } from './define-backend.ts';
import { isBackendError } from './errors.ts';
import type { FactoryInput } from './factory.ts';
import { parseLabel } from './label.ts';
import { factories } from './registry.ts';
import type { JsonSchemaOptions, StandardSchemaV1 } from './standard-schema.ts';

const silent = (): void => {};
const ctx: CallContext = {
  signal: new AbortController().signal,
  deadline: 0,
  log: { debug: silent, info: silent, warn: silent, error: silent },
  progress: silent,
  emit: silent,
};
const capabilities: Capabilities = {
  containers: { via: 'none' },
  exec: { stdin: false, tty: false, user: false, signals: false, resume: false },
  files: { ownership: false, shared: false },
  isolation: 'vm',
  recover: false,
  features: [],
};
const input: FactoryInput = {
  config: { url: 'x' },
  owner: { runner: 'r', boot: 'b' },
  stateDir: '/s',
  apiVersion: '1.0.0',
  addMask: silent,
};

/** A schema as any library makes it. */
function schemaOf<T>(read: (value: Record<string, unknown>) => T): StandardSchemaV1<unknown, T> {
  return {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: async (value) => {
        try {
          return { value: read(value as Record<string, unknown>) };
        } catch (error) {
          return { issues: [{ message: String(error), path: ['cpu', { key: 0 }] }, { message: 'and more' }] };
        }
      },
    },
  };
}

/** The same schema, of a library that can write it as JSON Schema. */
function writesItself<T>(
  schema: StandardSchemaV1<unknown, T>,
  input: (options: JsonSchemaOptions) => object,
): StandardSchemaV1<unknown, T> {
  return { '~standard': { ...schema['~standard'], jsonSchema: { input } } };
}

interface Options {
  readonly cpu: number;
}
let made = 0;

function definition(seen: unknown[] = []): BackendDefinition<{ url: string }, Options> {
  made += 1;
  return {
    id: `defined-${made}`,
    description: 'for a test',
    config: schemaOf((value) => ({ url: String(value['url']) })),
    label: schemaOf((value) => {
      if (Number.isNaN(Number(value['cpu'] ?? 1))) throw new Error('no number');
      return { cpu: Number(value['cpu'] ?? 1) };
    }),
    create: async (config, given) => ({
      describeLabel: async (options, label) => {
        seen.push(['label', config, given.owner, options, label.name]);
        return capabilities;
      },
      createEnvironment: async (request) => {
        seen.push(['create', request.options, request.name]);
        throw new Error('no environment in this test');
      },
      sweep: async () => ({ removed: [], leaked: [], kept: ['k'] }),
      health: async () => ({ status: 'ok' }),
      [Symbol.asyncDispose]: async () => void seen.push(['closed']),
    }),
  };
}

it('registers the factory that it makes', () => {
  const given = definition();
  const factory = defineBackend(given);
  expect(factories.get(given.id)?.factory).toBe(factory);
  expect([factory.api, factory.configSchema]).toEqual([1, given.config]);
});

it('says what its schemas say of themselves, and nothing for those that say nothing', () => {
  const given = definition();
  const open = { type: 'object', properties: { url: {} } };
  const asked: unknown[] = [];
  const config = writesItself(given.config, (options) => {
    asked.push(options);
    return open;
  });
  const label = writesItself(given.label, () => {
    throw new Error('a date cannot be said in JSON Schema');
  });
  expect(defineBackend({ ...given, config }).jsonSchema?.()).toEqual({ config: open });
  expect(asked).toEqual([{ target: 'draft-2020-12', libraryOptions: { unrepresentable: 'any' } }]);
  expect(defineBackend({ ...definition(), label }).jsonSchema?.()).toEqual({});
  expect(defineBackend({ ...definition(), config, jsonSchema: () => ({ label: open }) }).jsonSchema?.()).toEqual({
    label: open,
  });
});

it('hands options to the backend in the type that its schema gives them', async () => {
  const seen: unknown[] = [];
  const backend = await defineBackend(definition(seen)).create(input, ctx);
  const label = await backend.resolveLabel(parseLabel(`n:${backend.id}?cpu=4`), ctx);
  expect(label).toEqual({ capabilities, canonical: `n:${backend.id}?cpu=4`, data: { cpu: 4 } });
  const request = {
    name: 'e',
    task: { id: '1', attempt: 1, repository: 'r', workflow: 'w', job: 'j' },
    owner: input.owner,
    label,
    plan: { services: [], stepContainers: 'none' as const },
    expiresAt: 0,
  };
  await expect(backend.createEnvironment(request, ctx)).rejects.toThrow('no environment in this test');
  await backend[Symbol.asyncDispose]();
  expect(seen).toEqual([
    ['label', { url: 'x' }, input.owner, { cpu: 4 }, 'n'],
    ['create', { cpu: 4 }, 'e'],
    ['closed'],
  ]);
});

it('answers for the backend, and recovers only where the backend does', async () => {
  const given = definition();
  const backend = await defineBackend(given).create(input, ctx);
  const request = { owner: input.owner, keep: [], otherBoots: 'remove' as const, dryRun: true };
  expect([await backend.sweep(request, ctx), await backend.health(ctx), 'recover' in backend]).toEqual([
    { removed: [], leaked: [], kept: ['k'] },
    { status: 'ok' },
    false,
  ]);
  const recovering = definition();
  const typed = await recovering.create({ url: 'x' }, input, ctx);
  const withRecover = defineBackend({ ...recovering, create: async () => ({ ...typed, recover: async () => [] }) });
  expect('recover' in (await withRecover.create(input, ctx))).toBe(true);
});

it('tells all that is wrong with the options of a label', async () => {
  const backend = await defineBackend(definition()).create(input, ctx);
  const error: unknown = await backend
    .resolveLabel(parseLabel(`n:${backend.id}?cpu=x`), ctx)
    .catch((reason: unknown) => reason);
  expect(isBackendError(error) && [error.code, error.message, error.details.issues?.length]).toEqual([
    'label',
    `label "n" for backend "${backend.id}": cpu.0: Error: no number; and more`,
    2,
  ]);
});

it('refuses an id that another package registered', () => {
  const given = definition();
  defineBackend(given);
  expect(() => defineBackend(given)).toThrow('keep one of them');
});
