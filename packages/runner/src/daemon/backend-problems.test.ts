import type { BackendFactory, FactoryRegistry, StandardSchemaV1 } from '@forgejo-runner/core';
import { expect, it } from 'vitest';
import * as z from 'zod';
import { readConfig } from '../config/load.ts';
import { problemText } from '../user-error.ts';
import { backendProblems } from './backend-problems.ts';

function registry(schemas: Readonly<Record<string, StandardSchemaV1>>): FactoryRegistry {
  const registrations = Object.entries(schemas).map(([id, configSchema]) => {
    const factory: BackendFactory = {
      api: 1,
      id,
      description: id,
      configSchema,
      create: () => Promise.reject(new Error('none is made')),
    };
    return { factory };
  });
  return {
    register: () => {},
    get: (id) => registrations.find((one) => one.factory.id === id),
    list: () => registrations,
  };
}

async function problemsOf(yaml: string, factories: FactoryRegistry): Promise<readonly string[]> {
  const config = readConfig(yaml, 'c.yml');
  return (await backendProblems({ config, factories, labels: config.labels })).map(problemText);
}

it('finds wrong sections and labels without making a backend', async () => {
  const yaml = 'runner: { labels: ["a:one", "b:two", "c:six"] }\nbackend:\n  one: { y: 1 }\n  two: { x: text }\n';
  const schema = z.strictObject({ x: z.number().optional() });
  expect(await problemsOf(yaml, registry({ one: schema, two: schema }))).toEqual([
    expect.stringMatching(/^c\.yml:1:\d+: label "c": this runner has no backend "six"/),
    expect.stringMatching(/^c\.yml:3:10: backend\.one: unknown option "y"/),
    expect.stringMatching(/^c\.yml:4:13: backend\.two: option "x": /),
  ]);
});

it('leaves a schema that throws to the making of the backend', async () => {
  const broken: StandardSchemaV1 = {
    '~standard': {
      version: 1,
      vendor: 'mine',
      validate: () => {
        throw new Error('defect');
      },
    },
  };
  expect(await problemsOf('runner: { labels: ["a:one"] }', registry({ one: broken }))).toEqual([]);
});
