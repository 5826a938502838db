import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isBackendError } from '@forgejo-runner/core';
import { expect, it } from 'vitest';
import type { EngineConfig } from './config.ts';
import { readEngineEndpoint, whyNoEngine } from './engine-endpoint.ts';

it.each<[EngineConfig, object]>([
  [
    'unix:///run/docker.sock',
    {
      address: 'unix:///run/docker.sock',
      binds: 'target-paths',
      publishedHost: '127.0.0.1',
      socketInTarget: '/run/docker.sock',
    },
  ],
  [
    'npipe:////./pipe/docker_engine',
    { address: 'npipe:////./pipe/docker_engine', binds: 'target-paths', publishedHost: '127.0.0.1' },
  ],
  ['tcp://127.0.0.1:2375', { address: 'tcp://127.0.0.1:2375', binds: 'target-paths', publishedHost: '127.0.0.1' }],
  ['tcp://[::1]:2375', { address: 'tcp://[::1]:2375', binds: 'target-paths', publishedHost: '127.0.0.1' }],
  ['tcp://docker:2376', { address: 'tcp://docker:2376', binds: 'none', publishedHost: 'docker' }],
  [
    { address: 'tcp://docker:2376', shares_paths: true },
    { address: 'tcp://docker:2376', binds: 'target-paths', publishedHost: 'docker' },
  ],
  [
    { address: 'unix:///s', shares_paths: false },
    { address: 'unix:///s', binds: 'none' },
  ],
])('%j', async (config, expected) => {
  expect(await readEngineEndpoint(config)).toMatchObject(expected);
});

it('reads the files for TLS, and tells all that it cannot read', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'engine-endpoint-'));
  const file = (name: string) => join(folder, name);
  for (const name of ['ca', 'cert', 'key']) await writeFile(file(name), name);
  const address = 'tcp://docker:2376';
  const tls = { ca: file('ca'), cert: file('cert'), key: file('key'), server_name: 'engine' };
  expect((await readEngineEndpoint({ address, tls })).tls).toEqual({
    ca: Buffer.from('ca'),
    cert: Buffer.from('cert'),
    key: Buffer.from('key'),
    serverName: 'engine',
  });
  await rm(folder, { recursive: true });
  const error = await readEngineEndpoint({ address, tls }).catch((thrown: unknown) => thrown);
  expect(isBackendError(error) && error.details.issues?.map(({ path }) => path?.map(String).join('.'))).toEqual([
    'docker.tls.ca',
    'docker.tls.cert',
    'docker.tls.key',
  ]);
});

it('knows when there is no socket', async () => {
  const descriptor = await readEngineEndpoint('unix:///no/such.sock');
  expect(await whyNoEngine(descriptor)).toContain('there is no engine at "/no/such.sock"');
  expect(await whyNoEngine(await readEngineEndpoint('unix:///'))).toBeUndefined();
  expect(await whyNoEngine(await readEngineEndpoint('tcp://docker:2376'))).toBeUndefined();
});
