import { expect, it } from 'vitest';
import { configSchema } from './config.ts';
import { factory } from './factory.ts';

function problems(value: unknown): string[] {
  const read = configSchema.safeParse(value);
  return read.success ? [] : read.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
}

it('takes an empty section', () => {
  expect(configSchema.parse({})).toEqual({});
});

it('takes every key', () => {
  const value = { workdir_parent: '/srv/jobs', env_allow: ['PATH', 'LC_*', 'ProgramFiles(x86)'] };
  expect(configSchema.parse(value)).toEqual(value);
});

it.each([
  'unix:///var/run/docker.sock',
  'tcp://10.0.0.1:2375',
  'npipe:////./pipe/docker_engine',
  { address: 'tcp://docker:2376', tls: { ca: 'a', cert: 'b', key: 'c', server_name: 'd' }, shares_paths: true },
])('takes the engine %j', (docker) => {
  expect(configSchema.parse({ docker })).toEqual({ docker });
});

it.each([
  'ssh://me@docker',
  '/var/run/docker.sock',
  'unix://relative',
  'tcp://',
  'tcp://host/path',
  'tcp://host:99999',
  { address: 'unix:///s', tls: { ca: 'a' } },
  { address: 'unix:///s', other: true },
  { shares_paths: true },
  ['unix:///s'],
])('refuses the engine %j', (docker) => {
  expect(problems({ docker })).not.toEqual([]);
});

it.each<[string, unknown, string]>([
  ['an unknown key', { workdirparent: '/x' }, ': Unrecognized key: "workdirparent"'],
  ['a wrong type', { workdir_parent: 5 }, 'workdir_parent: Invalid input: expected string, received number'],
  [
    'an empty folder',
    { workdir_parent: '' },
    'workdir_parent: expected a folder, found an empty text; leave the key out for the default',
  ],
  [
    'a variable with a value',
    { env_allow: ['A=1'] },
    'env_allow.0: expected the name of a variable, with "*" at most at its end',
  ],
  [
    'a star in the middle',
    { env_allow: ['A*B'] },
    'env_allow.0: expected the name of a variable, with "*" at most at its end',
  ],
])('refuses %s with the path to it', (_, value, problem) => {
  expect(problems(value)).toEqual([problem]);
});

it('tells all problems at once', () => {
  expect(problems({ workdir_parent: '', env_allow: ['='], other: 1 })).toHaveLength(3);
});

it('describes itself for editors', () => {
  expect(factory.jsonSchema?.()).toMatchObject({
    config: {
      properties: { workdir_parent: { type: 'string' }, env_allow: { type: 'array' } },
      additionalProperties: false,
    },
    label: { additionalProperties: false },
  });
  expect([factory.id, factory.api]).toEqual(['host', 1]);
});
