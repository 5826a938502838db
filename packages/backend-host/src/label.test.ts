import { type CallContext, formatLabel, isBackendError, parseLabel } from '@forgejo-runner/core';
import { expect, it } from 'vitest';
import { defineBackend } from '@forgejo-runner/core';
import { hostCapabilities, labelSchema } from './label.ts';

const silent = (): void => {};
const ctx: CallContext = {
  signal: new AbortController().signal,
  deadline: 0,
  log: { debug: silent, info: silent, warn: silent, error: silent },
  progress: silent,
  emit: silent,
};

async function resolve(text: string): Promise<unknown> {
  const factory = defineBackend({
    id: `host-label-${Math.random().toString(36).slice(2)}`,
    description: 'Resolves labels like the real one',
    config: labelSchema,
    label: labelSchema,
    create: async () => ({
      describeLabel: async () => hostCapabilities,
      createEnvironment: () => Promise.reject(new Error('not asked for')),
      sweep: async () => ({ removed: [], leaked: [], kept: [] }),
      health: async () => ({ status: 'ok' as const }),
      [Symbol.asyncDispose]: async () => {},
    }),
  });
  const input = { config: {}, owner: { runner: 'r', boot: 'b' }, stateDir: '/', apiVersion: '1.0.0', addMask: silent };
  const backend = await factory.create(input, ctx);
  try {
    return await backend.resolveLabel(parseLabel(text), ctx);
  } catch (error) {
    return isBackendError(error) ? `${error.code}: ${error.message}` : error;
  }
}

it('takes a label without an argument, and says what it can do', async () => {
  expect(await resolve('shell:host')).toEqual({ capabilities: hostCapabilities, canonical: 'shell:host', data: {} });
});

it('gives a canonical form that parses back to itself', () => {
  expect(formatLabel(parseLabel(formatLabel(parseLabel('shell:host'))))).toBe('shell:host');
});

it('refuses an argument', async () => {
  expect(await resolve('shell:host://debian:12')).toBe(
    'label: label "shell" for backend "host": image: it takes no argument; write it as NAME:host',
  );
});

it('refuses options, naming them', async () => {
  expect(await resolve('shell:host?cpu=4&mem=8')).toBe(
    'label: label "shell" for backend "host": expected no options, found "cpu", "mem"; leave them out',
  );
});
