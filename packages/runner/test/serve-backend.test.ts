import { existsSync, readdirSync } from 'node:fs';
import { factory as grpc } from '@forgejo-runner/backend-grpc';
import { factory as host } from '@forgejo-runner/backend-host';
import { type BackendFactory, type FactoryRegistry, parseLabel } from '@forgejo-runner/core';
import { callContext, captureOutput, eventually, openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { main } from '../src/main.ts';
import { fakeIo } from './fake-io.ts';

let folder: TempFolder;

beforeEach(async () => {
  folder = await openTempFolder('forgejo-runner-serve-');
});

afterEach(() => folder[Symbol.asyncDispose]());

function registry(...list: readonly BackendFactory[]): FactoryRegistry {
  const found = list.map((factory) => ({ factory }));
  return { register: () => {}, list: () => found, get: (id) => found.find(({ factory }) => factory.id === id) };
}

it('serves a backend, with its section of the configuration, until it is told to stop', async () => {
  const jobs = folder.join('jobs');
  await folder.write({ 'c.yml': `backend: { host: { workdir_parent: ${JSON.stringify(jobs)} } }\n` });
  const { io, interrupt, stdout } = fakeIo({ env: { HOME: folder.path }, cwd: folder.path });
  const address = `unix://${folder.join('p.sock')}`;
  const running = main(['serve-backend', 'host', '--address', address, '-c', 'c.yml'], io, {
    factories: registry(host, grpc),
  });
  await eventually(() => stdout() === `The backend host is served at ${address}\n`);
  const read = await grpc.configSchema['~standard'].validate({ address });
  if (read.issues !== undefined) throw new Error(JSON.stringify(read.issues));
  const owner = { runner: 'runner', boot: 'boot' };
  const input = { config: read.value, owner, stateDir: folder.path, apiVersion: '1.0.0', addMask: () => {} };
  const backend = await grpc.create(input, callContext());
  const environment = await backend.createEnvironment(
    {
      name: 'env-1',
      task: { id: '1', attempt: 1, repository: 'o/r', workflow: 'w', job: 'j' },
      owner,
      label: await backend.resolveLabel(parseLabel('test:grpc'), callContext()),
      plan: { services: [], stepContainers: 'none' },
      expiresAt: Date.now() + 60_000,
    },
    callContext(),
  );
  expect(environment.info.paths.workspace.startsWith(jobs)).toBe(true);
  const out = captureOutput();
  const { workspace: cwd } = environment.info.paths;
  const request = {
    argv: ['echo', 'hello'] as const,
    env: { PATH: '/bin:/usr/bin' },
    cwd,
    stdout: out.sink,
    stderr: out.sink,
  };
  await environment.target?.exec(request, callContext()).result;
  expect(out.text()).toBe('hello\n');
  interrupt.abort();
  expect(await running).toBe(0);
  expect([existsSync(folder.join('p.sock')), readdirSync(jobs).filter((name) => name.startsWith('env-'))]).toEqual([
    false,
    [],
  ]);
  await backend[Symbol.asyncDispose]();
});

it.each([
  [
    'where nothing serves',
    ['host', '--address', 'unix:///x.sock'],
    [host],
    'this runner has no backend that serves others',
  ],
  ['a backend that is not there', ['hots', '--address', 'unix:///x.sock'], [host, grpc], 'no backend "hots"'],
  [
    'at a port without certificates',
    ['host', '--address', '127.0.0.1:0'],
    [host, grpc],
    'expected TLS for 127.0.0.1:0',
  ],
  [
    'at no address',
    ['host', '--address', 'nowhere'],
    [host, grpc],
    'expected unix:///path or host:port, found "nowhere"',
  ],
] as const)('does not serve %s, and says why', async (_, args, factories, message) => {
  const { io, stderr } = fakeIo({ env: { HOME: folder.path }, cwd: folder.path });
  expect(await main(['serve-backend', ...args], io, { factories: registry(...factories) })).toBe(1);
  expect(stderr()).toContain(message);
});
