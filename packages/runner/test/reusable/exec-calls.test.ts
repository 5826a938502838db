import type { FactoryRegistry } from '@forgejo-runner/core';
import { openTempFolder, referenceBackend, startGitServer } from '@forgejo-runner/testkit';
import { expect, it } from 'vitest';
import { main } from '../../src/main.ts';
import { fakeIo } from '../fake-io.ts';
import { callable } from './run-calls.ts';

async function exec(files: Readonly<Record<string, string>>, ...args: readonly string[]) {
  await using folder = await openTempFolder();
  await folder.write(files);
  const { factory } = referenceBackend();
  const factories: FactoryRegistry = {
    register: () => {},
    get: (id) => (id === factory.id ? { factory } : undefined),
    list: () => [{ factory }],
  };
  const { PATH = '' } = process.env;
  const env = { HOME: folder.join('home'), XDG_STATE_HOME: folder.join('state'), PATH };
  const { io, stdout, stderr } = fakeIo({ cwd: folder.path, env });
  const exitCode = await main(['exec', '-P', `here=${factory.id}`, ...args], io, { factories });
  return { exitCode, stdout: stdout(), stderr: stderr() };
}

const caller = 'on: push\njobs:\n  call:\n    uses: ./.forgejo/workflows/called.yml\n';

it('shows the jobs of a called workflow with their own results', async () => {
  const ran = await exec({
    '.forgejo/workflows/ci.yml': caller,
    '.forgejo/workflows/called.yml': `on: workflow_call
jobs:
  good: { runs-on: here, steps: [{ uses: actions/checkout@v4 }, { run: cat data.txt }] }
  bad: { needs: good, runs-on: here, steps: [{ run: exit 3 }] }
`,
    'data.txt': 'from the folder\n',
  });
  expect(ran.stderr).toBe('');
  expect(ran.exitCode).toBe(1);
  expect(ran.stdout).toMatch(/^call \/ good +\S +from the folder$/m);
  expect(ran.stdout).toMatch(/^call \/ good +\S \S Job call \/ good: success/m);
  expect(ran.stdout.slice(ran.stdout.indexOf('Summary'))).toMatch(
    /^. call \/ good .*success\n(?: {2}.*\n)+. call \/ bad .*failure\n(?: {2}.*\n)+\n2 jobs: 1 failed, 1 succeeded/m,
  );
});

it('says in JSON whose job it was', async () => {
  const ran = await exec(
    { '.forgejo/workflows/ci.yml': caller, '.forgejo/workflows/called.yml': callable('echo hello') },
    '--json',
  );
  expect(ran.exitCode).toBe(0);
  const last: unknown = JSON.parse(ran.stdout.trimEnd().split('\n').at(-1) ?? '');
  expect(last).toMatchObject({ jobs: [{ job: 'call/inner', name: 'call / inner', result: 'success' }] });
});

it('checks a called workflow as strictly as the one that the event starts', async () => {
  const ran = await exec(
    {
      '.forgejo/ci.yml': caller,
      '.forgejo/workflows/called.yml': callable('echo hello').replace('run: |', 'runn: |'),
    },
    '-W',
    '.forgejo/ci.yml',
  );
  expect(ran.exitCode).toBe(1);
  expect(ran.stdout).toMatch(/ci\.yml:4:11: .*\n.*called\.yml:8:9: expected a known key, found "runn"/);
});

it('finds called workflows from the folder of the run, wherever the command is started', async () => {
  const ran = await exec(
    {
      'repo/.forgejo/workflows/ci.yml': caller,
      'repo/.forgejo/workflows/called.yml': 'on: push\njobs: { a: { runs-on: here, steps: [] } }\n',
    },
    '-C',
    'repo',
    '-W',
    '.forgejo/workflows/ci.yml',
  );
  expect(ran.exitCode).toBe(1);
  expect(ran.stdout).toContain('repo/.forgejo/workflows/called.yml:1:5: expected "workflow_call" in "on", found none');
});

it('calls workflows of the instance that the run is for, with its checkouts done', async () => {
  await using server = await startGitServer();
  const called = callable('cat data.txt').replace('steps:', 'steps:\n      - uses: actions/checkout@v4');
  await server.commit('o/r', { '.forgejo/workflows/x.yml': called }, { refs: ['refs/tags/v1'] });
  const files = {
    '.forgejo/workflows/ci.yml': 'on: push\njobs: { call: { uses: o/r/.forgejo/workflows/x.yml@v1 } }\n',
    'data.txt': 'of the folder\n',
  };
  const ran = await exec(files, '--forgejo-instance', server.url);
  expect({ ...ran, stdout: '' }).toEqual({ exitCode: 0, stdout: '', stderr: '' });
  expect(ran.stdout).toMatch(/^call \/ inner +\S +of the folder$/m);
});
