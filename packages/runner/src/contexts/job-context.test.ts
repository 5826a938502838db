import type { ServiceContainer } from '@forgejo-runner/core';
import { expect, it } from 'vitest';
import { jobContext } from './job-context.ts';

function no(): Promise<never> {
  return Promise.reject(new Error('not in this test'));
}

function service(ports: ServiceContainer['ports']): ServiceContainer {
  return { id: 'abc', network: 'net', hostnames: [], ports, waitReady: no, remove: no, [Symbol.asyncDispose]: no };
}

it('tells ports by those of the container, and of both protocols that for TCP', () => {
  const host = '127.0.0.1';
  const context = jobContext(
    'success',
    undefined,
    new Map([
      [
        'dns',
        service([
          { container: 53, protocol: 'tcp', host, port: 40_001 },
          { container: 53, protocol: 'udp', host, port: 40_002 },
          { container: 853, protocol: 'udp', host, port: 40_003 },
        ]),
      ],
    ]),
  );
  const ports = new Map([
    ['53', '40001'],
    ['853', '40003'],
  ]);
  const dns = new Map<string, unknown>([
    ['id', 'abc'],
    ['network', 'net'],
    ['ports', ports],
  ]);
  expect(context.get('services')).toEqual(new Map([['dns', dns]]));
  expect(context.has('container')).toBe(false);
});
