import { deflateRawSync } from 'node:zlib';
import { readFileSync } from 'node:fs';
import type { BackendFactory, FactoryRegistry, Registration } from '@forgejo-runner/core';
import { expect, it } from 'vitest';
import { fakeIo } from '../test/fake-io.ts';
import type { BuildInfo } from './build-info.ts';
import { exampleConfig } from './config/example-config.ts';
import { type MainOptions, main } from './main.ts';
import { runnerVersion } from './runner-version.ts';

function registry(...list: readonly Registration[]): FactoryRegistry {
  return { register: () => {}, get: (id) => list.find((one) => one.factory.id === id), list: () => list };
}

function factory(id: string, description: string): BackendFactory {
  return {
    api: 1,
    id,
    description,
    configSchema: { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } },
    create: () => Promise.reject(new Error('not in this test')),
  };
}

const two = registry(
  { factory: factory('tart', 'Runs jobs in macOS machines') },
  { factory: factory('host', 'Runs jobs on this machine'), package: '@acme/host', version: '1.2.3' },
);

const buildInfo: BuildInfo = {
  schema: 1,
  builder: '1.0.0',
  runner: '1.4.0',
  api: '1.0.0',
  node: '26.10.0',
  esbuild: '0.28.2',
  official: false,
  packages: [
    { name: '@acme/host', version: '1.2.3', source: 'registry', backends: ['host', 'shell'] },
    { name: 'left', version: '0.1.0', source: 'path', spec: './left', backends: [] },
  ],
};

async function runMain(args: readonly string[], options: MainOptions = { factories: registry() }) {
  const { io, stdout, stderr } = fakeIo();
  const exitCode = await main(args, io, options);
  return { exitCode, stdout: stdout(), stderr: stderr() };
}

it('knows the version of its package', () => {
  const file = new URL('../package.json', import.meta.url);
  expect(JSON.parse(readFileSync(file, 'utf8')).version).toBe(runnerVersion);
});

it('prints the version', async () => {
  expect(await runMain(['--version'])).toEqual({
    exitCode: 0,
    stdout: `forgejo-runner version v${runnerVersion}\n`,
    stderr: '',
  });
  expect((await runMain(['--version'], { buildInfo })).stdout).toBe('forgejo-runner version v1.4.0\n');
});

it.each([[[]], [['--help']], [['help']], [['-h']]])('shows help for %j', async (args) => {
  const { exitCode, stdout, stderr } = await runMain(args);
  expect(exitCode).toBe(0);
  expect(stdout).toContain('  list-backends [options]');
  expect(stderr).toBe('');
});

it('lists backends as a table in the order of their names', async () => {
  expect(await runMain(['list-backends'], { factories: two })).toEqual({
    exitCode: 0,
    stdout:
      'BACKEND  PACKAGE           DESCRIPTION\n' +
      'host     @acme/host@1.2.3  Runs jobs on this machine\n' +
      'tart     -                 Runs jobs in macOS machines\n',
    stderr: '',
  });
});

it('says what to do when there is no backend', async () => {
  expect((await runMain(['list-backends'])).stdout).toBe(
    'This runner has no backend: build one with forgejo-runner-build --with PACKAGE\n',
  );
});

it('lists backends as JSON', async () => {
  const { stdout } = await runMain(['list-backends', '--json'], { factories: two });
  expect(JSON.parse(stdout)).toEqual({
    schema: 1,
    runner: runnerVersion,
    api: '1.0.0',
    backends: [
      { id: 'host', description: 'Runs jobs on this machine', package: '@acme/host', version: '1.2.3' },
      { id: 'tart', description: 'Runs jobs in macOS machines', package: null, version: null },
    ],
  });
});

it('says how long importing a backend took, where the entry measured it', async () => {
  const importTimes = new Map([['@acme/host', 12.3456]]);
  const options = { factories: two, importBackends: () => Promise.resolve({ importTimes }) };
  const { stdout } = await runMain(['list-backends', '--json'], options);
  expect(JSON.parse(stdout)).toMatchObject({ backends: [{ id: 'host', importMs: 12.3 }, { id: 'tart' }] });
});

it.each(['--version', '--help', 'exec --help', 'build-info', 'generate-config', 'completion bash', 'man-page'])(
  'imports no backend for %s',
  async (line) => {
    const options = { buildInfo, importBackends: () => Promise.reject(new Error('backends were imported')) };
    expect(await runMain(line.split(' '), options)).toMatchObject({ exitCode: 0, stderr: '' });
  },
);

it('imports the backends before a command that needs them, once', async () => {
  let imports = 0;
  const importBackends = () => Promise.resolve({ importTimes: new Map([['x', (imports += 1)]]) });
  await runMain(['list-backends'], { factories: two, importBackends });
  expect(imports).toBe(1);
});

it('shows what it was built from', async () => {
  const text = (await runMain(['build-info'], { buildInfo })).stdout;
  expect(text).toContain('runner          1.4.0\n');
  expect(text).toContain('official        no: a package of the runner was replaced\n');
  expect(text).toContain('@acme/host@1.2.3  registry     host, shell\n');
  expect(text).toContain('left@0.1.0        path ./left  -\n');
  expect(JSON.parse((await runMain(['build-info', '--json'], { buildInfo })).stdout)).toEqual(buildInfo);
});

it('says whose runner it is', async () => {
  const distribution = { name: 'acme', version: '2.1.0', title: 'Acme Runner', support: 'https://acme.example/help' };
  const options = { buildInfo: { ...buildInfo, distribution } };
  expect((await runMain(['--version'], options)).stdout).toBe('forgejo-runner version v1.4.0 (Acme Runner 2.1.0)\n');
  const text = (await runMain(['build-info'], options)).stdout;
  expect(text).toMatch(/^distribution +Acme Runner 2\.1\.0\nsupport +https:\/\/acme\.example\/help\nrunner +1\.4\.0\n/);
  const bare = { buildInfo: { ...buildInfo, distribution: { name: 'acme' } } };
  expect((await runMain(['--version'], bare)).stdout).toBe('forgejo-runner version v1.4.0 (acme)\n');
});

it('prints the lock that it was built with', async () => {
  const text = '{"lockVersion":1}\n';
  const lock = `forgejo-runner-lock-1:${deflateRawSync(text).toString('base64')};`;
  expect((await runMain(['build-info', '--lock'], { buildInfo: { ...buildInfo, lock } })).stdout).toBe(text);
  expect((await runMain(['build-info', '--json'], { buildInfo: { ...buildInfo, lock } })).stdout).not.toContain('lock');
  const none = await runMain(['build-info', '--lock'], { buildInfo });
  expect(none.stderr).toContain('found none of its locks');
  expect(none.exitCode).toBe(1);
});

it('says so when it was put together without the builder', async () => {
  expect((await runMain(['build-info'])).stdout).toContain('put together without forgejo-runner-build\n');
  expect(JSON.parse((await runMain(['build-info', '--json'])).stdout)).toMatchObject({ schema: 1, builder: null });
});

it.each([
  [['list-bakends'], 'unknown command "list-bakends"; did you mean list-backends', ''],
  [['list-backends', '--jsn'], 'unknown option "--jsn"; did you mean --json', 'list-backends '],
  [['--json', 'list-backends'], 'unknown option "--json"', ''],
  [['-c'], 'option "-c, --config <file>" argument missing', ''],
])('answers %j', async (args, problem, command) => {
  expect(await runMain(args)).toEqual({
    exitCode: 64,
    stdout: '',
    stderr: `error FRR101: the command line is wrong\n  ${problem}\nnext: forgejo-runner ${command}--help shows what is possible\n`,
  });
});

it('prints a configuration file', async () => {
  expect(await runMain(['generate-config'])).toEqual({ exitCode: 0, stdout: exampleConfig(), stderr: '' });
});

it('shows where an error comes from under --debug', async () => {
  expect((await runMain(['list-backends', '--debug', '--jsn'])).stderr).toContain('caused by CommanderError');
});
