import { readFile } from 'node:fs/promises';
import {
  checkReport,
  eventually,
  type FakeForgejo,
  openTempFolder,
  startFakeForgejo,
  type TempFolder,
} from '@forgejo-runner/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BuiltRunner, buildRunner } from './built-runner.ts';
import { type Finished, runProgram, startProgram } from './run-program.ts';

const opened = new AsyncDisposableStack();
let built: BuiltRunner;

beforeAll(async () => {
  built = opened.use(await buildRunner());
});

afterAll(() => opened.disposeAsync());

const job = '{ runs-on: linux, steps: [{ run: echo hello }] }';

async function openFolder(files: Readonly<Record<string, string>> = {}): Promise<TempFolder> {
  const folder = await openTempFolder('forgejo-runner-commands-');
  await folder.write({ 'home/.keep': '', 'tmp/.keep': '', ...files });
  return folder;
}

function environment(folder: TempFolder): Readonly<Record<string, string>> {
  return {
    PATH: process.env['PATH'] ?? '',
    HOME: folder.join('home'),
    TMPDIR: folder.join('tmp'),
    LANG: 'C.UTF-8',
    NO_COLOR: '1',
  };
}

function run(folder: TempFolder, ...args: readonly string[]): Promise<Finished> {
  return runProgram([...built.command, ...args], { cwd: folder.path, env: environment(folder) });
}

/** Runs `daemon` in a folder as long as `work` takes, then ends it. */
async function withDaemon(folder: TempFolder, args: readonly string[], work: () => Promise<void>): Promise<Finished> {
  const command = [...built.command, ...args, 'daemon'] as const;
  const { pid, finished, stdout, stderr } = startProgram(command, { cwd: folder.path, env: environment(folder) });
  try {
    await Promise.race([
      work(),
      finished.then(({ code }) => {
        throw new Error(`the daemon ended with ${code}:\n${stdout()}${stderr()}`);
      }),
    ]);
  } finally {
    process.kill(pid, 'SIGTERM');
  }
  return finished;
}

describe('a runner that is new', () => {
  it('registers, and takes jobs from then on', async () => {
    await using forgejo = await startFakeForgejo();
    await using folder = await openFolder();
    const flags = ['--no-interactive', '--instance', forgejo.url, '--token', forgejo.registrationToken];
    const registered = await run(folder, 'register', ...flags, '--name', 'mine', '--labels', 'linux:host');
    expect(registered).toMatchObject({ code: 0 });
    expect(forgejo.runners()).toMatchObject([{ name: 'mine', labels: ['linux'] }]);
    const file: unknown = JSON.parse(await readFile(folder.join('.runner'), 'utf8'));
    const { uuid, token } = forgejo.runners()[0] ?? {};
    expect(file).toMatchObject({ uuid, token, name: 'mine', address: forgejo.url, labels: ['linux:host'] });
    const added = forgejo.addJob(job);
    await withDaemon(folder, [], async () => {
      expect(await added.ended()).toBe('success');
    });
    expect(checkReport(added, { rows: ['hello'] })).toEqual([]);
  });

  it('registers for one job, which a daemon refuses and one-job runs', async () => {
    await using forgejo = await startFakeForgejo();
    await using folder = await openFolder();
    const flags = ['--no-interactive', '--instance', forgejo.url, '--token', forgejo.registrationToken, '--ephemeral'];
    expect(await run(folder, 'register', ...flags, '--labels', 'linux:host')).toMatchObject({ code: 0 });
    const added = forgejo.addJob(job);
    const refused = await run(folder, 'daemon');
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('FRR708');
    expect(added.status()).toBe('waiting');
    expect(await run(folder, 'one-job')).toMatchObject({ code: 0 });
    expect(added.status()).toBe('success');
    expect(forgejo.runnerStatus(forgejo.runners()[0]?.uuid ?? '')).toBe('deleted');
  });

  it('is told what is wrong with a registration token', async () => {
    await using forgejo = await startFakeForgejo();
    await using folder = await openFolder();
    const flags = ['--no-interactive', '--instance', forgejo.url, '--token', 'wrong'];
    const { code, stderr } = await run(folder, 'register', ...flags, '--labels', 'linux:host');
    expect(code).toBe(1);
    expect(stderr).toMatch(/error FRR\d{3}: .*registration token/s);
    expect(forgejo.runners()).toEqual([]);
  });

  it('has its identity from a secret that the instance knows', async () => {
    await using forgejo = await startFakeForgejo();
    await using folder = await openFolder({
      'config.yml': 'runner: { labels: ["linux:host"], fetch_interval: 100ms }',
    });
    const secret = '7c31591e8b67225a116d4a4519ea8e507e08f71f';
    // The first half of the secret, as it stands, is the identity.
    const uuid = '37633331-3539-3165-3862-363732323561';
    forgejo.addRunner({ uuid, token: secret });
    const flags = ['--instance', forgejo.url, '--secret', secret, '--connect'];
    expect(await run(folder, '-c', 'config.yml', 'create-runner-file', ...flags)).toMatchObject({ code: 0 });
    expect(JSON.parse(await readFile(folder.join('.runner'), 'utf8'))).toMatchObject({ uuid, token: secret });
    const added = forgejo.addJob(job);
    await withDaemon(folder, ['-c', 'config.yml'], async () => {
      expect(await added.ended()).toBe('success');
    });
  });
});

describe('a runner that was the Go runner before', () => {
  it('works with its files, and leaves them as they are', async () => {
    await using forgejo = await startFakeForgejo();
    const { id, uuid, token } = forgejo.addRunner({ labels: ['linux', 'tools'] });
    const warning =
      'This file is automatically generated by act-runner. Do not edit it manually unless you know what you are doing. Removing this file will cause act runner to re-register as a new runner.';
    const runnerFile = `${JSON.stringify(
      { WARNING: warning, id, uuid, name: 'old', token, address: forgejo.url, labels: ['linux:host', 'tools:host'] },
      undefined,
      2,
    )}\n`;
    const config = [
      '# Example configuration file',
      'log:',
      '  level: info',
      '  job_level: info',
      'runner:',
      '  file: .runner',
      '  capacity: 1',
      '  envs:',
      '    A_TEST_ENV_NAME_1: a_test_env_value_1',
      '  env_file: .env',
      '  timeout: 3h',
      '  shutdown_timeout: 3h',
      '  insecure: false',
      '  fetch_timeout: 5s',
      '  fetch_interval: 2s',
      '  report_interval: 1s',
      '  labels: []',
      'cache:',
      '  enabled: false',
      '  port: 0',
      '  dir: ""',
      '  external_server: ""',
      '  secret: ""',
      '  host: ""',
      '  proxy_port: 0',
      '  actions_cache_url_override: ""',
      'container:',
      '  network: ""',
      '  enable_ipv6: false',
      '  privileged: false',
      '  options:',
      '  workdir_parent:',
      '  valid_volumes: []',
      '  docker_host: "-"',
      '  force_pull: false',
      '  force_rebuild: false',
      'host:',
      '  workdir_parent:',
      '',
    ].join('\n');
    await using folder = await openFolder({
      '.runner': runnerFile,
      'config.yml': config,
      '.env': 'FROM_FILE=from the file\n',
    });
    const added = forgejo.addJob(
      '{ runs-on: [linux, tools], steps: [{ run: echo "$A_TEST_ENV_NAME_1 and $FROM_FILE" }] }',
    );
    await withDaemon(folder, ['-c', 'config.yml'], async () => {
      expect(await added.ended()).toBe('success');
    });
    expect(added.stepTexts(0)).toContain('a_test_env_value_1 and from the file');
    expect(await readFile(folder.join('.runner'), 'utf8')).toBe(runnerFile);
    expect(await readFile(folder.join('config.yml'), 'utf8')).toBe(config);
  });
});

describe('one job', () => {
  async function openIdentity(forgejo: FakeForgejo, options: { readonly ephemeral?: boolean } = {}) {
    const { uuid, token } = forgejo.addRunner(options);
    const folder = await openFolder({ token: `${token}\n` });
    const tokenUrl = `file:${folder.join('token')}`;
    const flags = ['--url', forgejo.url, '--uuid', uuid, '--token-url', tokenUrl, '--label', 'linux:host'];
    return { folder, uuid, flags: [...flags, '--fetch-interval', '100ms'] };
  }

  it('is run, and the runner ends', async () => {
    await using forgejo = await startFakeForgejo();
    const { folder, flags } = await openIdentity(forgejo);
    await using _folder = folder;
    const jobs = [forgejo.addJob(job), forgejo.addJob(job)];
    expect(await run(folder, 'one-job', ...flags)).toMatchObject({ code: 0 });
    expect(jobs.map((one) => one.status())).toEqual(['success', 'waiting']);
    expect(jobs.flatMap((one) => (one.taskId() === undefined ? [] : checkReport(one)))).toEqual([]);
  });

  it('that is not there has an exit code of its own, unless the runner is to wait', async () => {
    await using forgejo = await startFakeForgejo();
    const { folder, flags } = await openIdentity(forgejo);
    await using _folder = folder;
    expect(await run(folder, 'one-job', ...flags)).toMatchObject({ code: 2 });
    const waiting = run(folder, 'one-job', '--wait', ...flags);
    const asked = forgejo.record.count();
    await eventually(() => forgejo.record.count() > asked + 2, { timeoutMs: 60_000 });
    const added = forgejo.addJob(job);
    expect(await waiting).toMatchObject({ code: 0 });
    expect(added.status()).toBe('success');
  });

  it('of a handle is run by a runner that the instance deletes with the result', async () => {
    await using forgejo = await startFakeForgejo();
    const { folder, uuid, flags } = await openIdentity(forgejo, { ephemeral: true });
    await using _folder = folder;
    const [other, wanted] = [forgejo.addJob(job), forgejo.addJob({ workflow: job, handle: 'the-one' })];
    expect(await run(folder, 'one-job', '--handle', 'the-one', '--wait', ...flags)).toMatchObject({ code: 0 });
    expect([other.status(), wanted.status()]).toEqual(['waiting', 'success']);
    expect(checkReport(wanted, { rows: ['hello'] })).toEqual([]);
    expect(forgejo.runnerStatus(uuid)).toBe('deleted');
  });
});
