import { stringify } from 'yaml';
import { expect, it } from 'vitest';
import * as fc from 'fast-check';
import { parseYaml } from '../workflow/yaml-source.ts';
import { plainValue } from './plain-value.ts';
import { configSchema, readWritten } from './schema.ts';
import { usableConfig } from './usable-config.ts';

function usable(yaml: string): ReturnType<typeof usableConfig> {
  const plain = plainValue(parseYaml(yaml, 'c.yml'), configSchema);
  return usableConfig(plain, readWritten(plain).issues ?? []);
}

it('keeps what is right, and says what it left out', () => {
  const { config, left } = usable(`
runner: { capacity: many, timeout: 1h, nothing: 1, also: 2 }
container: { valid_volumes: [1, { a: b }, [c]], privileged: true }
backend: { k8s: { x: 1 }, docker: [] }
log: verbose
`) ?? { left: [] };
  expect(config?.runner).toMatchObject({ capacity: 1, timeoutMs: 3_600_000 });
  expect(config?.container).toMatchObject({ validVolumes: [], privileged: true });
  expect(config?.backends.get('k8s')).toEqual({ x: 1 });
  expect(left).toContainEqual(['runner', 'nothing']);
  expect(left).toContainEqual(['runner', 'also']);
  expect(left).toContainEqual(['log']);
});

it('leaves out what lacks a key', () => {
  const { config, left } = usable('server: { connections: { a: { url: "https://a.example" }, b: 1 } }') ?? { left: [] };
  expect(config?.connections.size).toBe(0);
  expect(left).toContainEqual(['server', 'connections', 'a']);
});

it('makes defaults of what is no mapping', () => {
  expect(usable('[1, 2]')?.config.runner.capacity).toBe(1);
});

it('comes to an end with any values', () => {
  const key = fc.constantFrom(
    'runner',
    'server',
    'connections',
    'a',
    'container',
    'backend',
    'plugins',
    'cache',
    'envs',
  );
  const tree = fc.letrec<{ node: unknown }>((tie) => ({
    node: fc.oneof(
      { depthSize: 'small' },
      fc.constantFrom(1, 'x', null, true, []),
      fc.array(tie('node'), { maxLength: 2 }),
      fc.dictionary(key, tie('node'), { maxKeys: 4, noNullPrototype: true }),
    ),
  })).node;
  fc.assert(
    fc.property(tree, (value) => {
      expect(usable(stringify(value))).toBeDefined();
    }),
  );
});
