import { execFileSync } from 'node:child_process';
import { readdir, readFile, symlink } from 'node:fs/promises';
import type { FactoryRegistry } from '@forgejo-runner/core';
import {
  eventually,
  openTempFolder,
  type ReferenceBackend,
  referenceBackend,
  type TempFolder,
} from '@forgejo-runner/testkit';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Interruption } from '../src/io.ts';
import { main } from '../src/main.ts';
import { fakeIo } from './fake-io.ts';
import { jobOf } from './run-yaml.ts';

let repository: TempFolder;
let temp: TempFolder;

beforeEach(async () => {
  repository = await openTempFolder();
  temp = await openTempFolder();
  vi.stubEnv('TMPDIR', temp.path);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  const left = (await readdir(temp.path)).filter((name) => name !== 'state');
  await repository[Symbol.asyncDispose]();
  await temp[Symbol.asyncDispose]();
  if (left.length > 0) throw new Error(`expected nothing to be left behind, found ${left.join(', ')}`);
});

function registryOf({ factory }: ReferenceBackend): FactoryRegistry {
  return {
    register: () => {},
    get: (id) => (id === factory.id ? { factory } : undefined),
    list: () => [{ factory }],
  };
}

function startExec(args: readonly string[] = [], backend = referenceBackend()) {
  const fake = fakeIo({
    cwd: repository.path,
    env: { HOME: temp.path, XDG_STATE_HOME: temp.join('state'), NO_COLOR: '1' },
  });
  const code = main(['exec', '-P', 'here=reference', ...args], fake.io, { factories: registryOf(backend) });
  return { ...fake, code, backend };
}

async function exec(...args: string[]) {
  const started = startExec(args);
  return { code: await started.code, stdout: started.stdout(), stderr: started.stderr() };
}

async function workflow(steps: string, head = ''): Promise<void> {
  await repository.write({ '.forgejo/workflows/w.yml': jobOf(steps, head) });
}

function git(...args: readonly string[]): void {
  execFileSync(
    'git',
    ['-c', 'user.name=me', '-c', 'user.email=me@example.org', '-c', 'protocol.file.allow=always', ...args],
    {
      cwd: repository.path,
      stdio: 'pipe',
    },
  );
}

it('runs, prints and answers with the result', async () => {
  await workflow('- run: echo hello');
  expect(await exec()).toMatchObject({ code: 0, stdout: expect.stringContaining('hello') as string, stderr: '' });
  await workflow('- run: exit 3');
  expect(await exec()).toMatchObject({ code: 1, stdout: expect.stringContaining('exit code 3') as string });
});

it('cancels at the first signal, and ends with the code of the signal', async () => {
  await workflow('- run: echo here; sleep 60\n- run: echo saved\n  if: cancelled()');
  const run = startExec();
  await eventually(() => run.stdout().includes('here\n'));
  run.interrupt.abort(new Interruption('SIGINT'));
  expect(await run.code).toBe(130);
  expect(run.stdout()).toContain('saved');
  expect(run.stderr()).toContain('interrupted by SIGINT');
  expect(run.backend.environments()).toEqual([]);
});

it('does not wait for the grace time after the second signal', async () => {
  await workflow('- run: echo here; sleep 60\n- run: echo slow; sleep 60\n  if: always()');
  const run = startExec();
  await eventually(() => run.stdout().includes('here\n'));
  run.interrupt.abort(new Interruption('SIGTERM'));
  await eventually(() => run.stdout().includes('slow\n'));
  run.hurry.abort();
  expect(await run.code).toBe(143);
  expect(run.backend.environments()).toEqual([]);
});

it('starts no other workflow after a signal', async () => {
  await repository.write({
    '.forgejo/workflows/a.yml': jobOf('- run: echo here; sleep 60'),
    '.forgejo/workflows/b.yml': jobOf('- run: echo second'),
  });
  const run = startExec();
  await eventually(() => run.stdout().includes('here\n'));
  run.interrupt.abort(new Interruption('SIGINT'));
  expect(await run.code).toBe(130);
  expect(run.stdout()).not.toContain('second');
});

it('runs all workflows of an event', async () => {
  await repository.write({
    '.forgejo/workflows/a.yml': jobOf('- run: echo from a'),
    '.forgejo/workflows/b.yml': jobOf('- run: echo from b'),
    '.forgejo/workflows/c.yml': jobOf('- run: echo from c').replace('push', 'schedule'),
  });
  const { stdout } = await exec('--event', 'push');
  expect(stdout).toMatch(/from a[^]*from b/);
  expect(stdout).not.toContain('from c');
});

it('copies what git has and would take, whatever it is called', async () => {
  git('init', '-q');
  await repository.write({
    '.gitignore': 'ignored\nbuild/\n',
    ignored: 'x',
    'build/out': 'x',
    tracked: 'x',
    'new line\nand ünïcode 🔑': 'x',
    ' -leading': 'x',
    'deep/er/file': 'x',
  });
  await symlink('nowhere/at all', repository.join('dangling'));
  git('add', 'tracked', '.gitignore', 'deep');
  git('commit', '-qm', 'first');
  await workflow(
    '- run: find . -not -path "./.git/*" -mindepth 1 | sort | tr "\\n" "|"; readlink dangling; git log --oneline | wc -l; git status --short | wc -l',
  );
  const { stdout } = await exec();
  expect(stdout).toContain(
    './ -leading|./.forgejo|./.forgejo/workflows|./.forgejo/workflows/w.yml|./.git|./.gitignore|./dangling|./deep|./deep/er|./deep/er/file|./new line|./tracked|and ünïcode 🔑|nowhere/at all',
  );
  expect((await exec('--use-gitignore=false')).stdout).toContain('./build/out');
});

it('copies submodules and checkouts inside, without what they ignore', async () => {
  await using other = await openTempFolder();
  await other.write({ 'in-submodule': 'x', '.gitignore': 'skipped' });
  for (const args of [
    ['init', '-q'],
    ['add', '.'],
    ['-c', 'user.name=me', '-c', 'user.email=m@e', 'commit', '-qm', 'x'],
  ])
    execFileSync('git', args, { cwd: other.path });
  git('init', '-q');
  git('submodule', '--quiet', 'add', other.path, 'sub');
  await repository.write({
    'sub/skipped': 'x',
    'sub/changed': 'x',
    'nested/file': 'x',
    'nested/skipped': 'x',
    'nested/.gitignore': 'skipped',
  });
  execFileSync('git', ['init', '-q'], { cwd: repository.join('nested') });
  await workflow('- run: ls -A sub nested | tr "\\n" "|"; git -C sub log --oneline | wc -l');
  const { stdout } = await exec();
  expect(stdout).toContain('nested:|.git|.gitignore|file||sub:|.git|.gitignore|changed|in-submodule|');
});

it('copies a folder that is no checkout as it is', async () => {
  await repository.write({ '.gitignore': 'ignored', ignored: 'x', 'a/b': 'x' });
  await workflow('- run: ls -A | tr "\\n" "|"');
  expect((await exec()).stdout).toContain('.forgejo|.gitignore|a|ignored|');
});

it('takes a large payload, and refuses one that is no object', async () => {
  await workflow('- run: wc -c < $GITHUB_EVENT_PATH; echo ${{ github.event.last }}');
  await repository.write({
    'event.json': JSON.stringify({ big: 'x'.repeat(20_000_000), last: 'end' }),
    'bad.json': '[1]',
  });
  const { stdout, code } = await exec('-e', 'event.json');
  expect(stdout).toMatch(/2000\d{4}\n[^]*end/);
  expect(code).toBe(0);
  expect(await exec('-e', 'bad.json')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('error FRR103') as string,
  });
});

it.each<[string[], string]>([
  [['--job', 'nope'], 'expected a job "nope", found "one"'],
  [['--event', 'nope'], 'expected an event that a workflow names, found "nope"; did you mean "push"'],
  [['-P', 'here=nope'], 'nope'],
  [['-P', 'here'], 'expected label=backend[:argument] after --platform, found "here"'],
  [['-W', 'nope'], 'expected a workflow file or folder at'],
])('refuses %j', async (args, message) => {
  await workflow('- run: echo');
  const { code, stderr, stdout } = await exec(...args);
  expect(stderr).toContain(message);
  expect(stderr).toMatch(/^error FRR\d{3}: /);
  expect([1, 64]).toContain(code);
  expect(stdout).toBe('');
});

it('names the labels that there are', async () => {
  await workflow('- run: echo');
  await repository.write({ '.forgejo/workflows/w.yml': jobOf('- run: echo').replace('here', 'there') });
  const { code, stdout } = await exec();
  expect(code).toBe(1);
  expect(stdout).toContain('expected a label of this runner in runs-on, found "there"; this runner has "here"');
});

it('says which flags change nothing without Docker', async () => {
  await workflow('- run: echo hello');
  const { stderr, code } = await exec('--privileged', '--network', 'x', '-6', '--container-cap-add', 'NET_ADMIN');
  expect(stderr).toBe(
    'warning: --privileged, --container-cap-add, --network, --enable-ipv6 have no effect: this runner has no Docker backend\n',
  );
  expect(code).toBe(0);
});

it('says so for each of them', async () => {
  await workflow('- run: echo hello');
  const flags =
    '--pull --rebuild --privileged --userns=x --container-architecture=x --container-daemon-socket=x --container-cap-add=x --container-cap-drop=x --container-opts=x --network=x --enable-ipv6'.split(
      ' ',
    );
  const { stderr } = await exec(...flags, '--dryrun');
  expect(stderr).toContain(flags.map((flag) => flag.replace(/=.*/, '')).join(', '));
});

it('lists jobs and runs nothing', async () => {
  await workflow('- run: touch ran', 'name: "A \\e[31mname"');
  const { stdout, code } = await exec('--list');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^STAGE +JOB ID +JOB NAME[^]*0 +one +A  \[31mname/);
});

it('plans and runs nothing with --dryrun', async () => {
  await workflow('- run: echo no');
  const run = startExec(['--dryrun']);
  expect(await run.code).toBe(0);
  expect(run.stdout()).toContain('Would run on label "here" (here:reference): 1 step');
  expect(run.backend.log.map(({ method }) => method)).not.toContain('createEnvironment');
});

it('prints nothing but JSON with --json', async () => {
  await workflow(
    '- run: |\n    printf \'\\033[31mred\\n"quoted" \\\\ \\xff\\n\'; echo \'{"type":"job-finished"}\'\n- run: exit 1',
  );
  const { stdout, code } = await exec('--json', '--pull');
  const events = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string; result?: string });
  expect(events.at(-1)).toMatchObject({ type: 'run-finished', result: 'failure' });
  expect(events.filter(({ type }) => type === 'job-finished')).toHaveLength(1);
  expect(code).toBe(1);
});

it('hides the secrets of the command line', async () => {
  await workflow(
    '- run: echo ${{ secrets.PASS }} $(echo -n ${{ secrets.PASS }} | base64)\n  name: with ${{ secrets.PASS }}',
  );
  const { stdout } = await exec('-s', 'PASS=hunter2-and-more');
  expect(stdout).not.toContain('hunter2');
  expect(stdout).toContain('with ***');
  expect((await exec('-s', 'PASS=hunter2-and-more', '--insecure-secrets')).stdout).toContain('hunter2-and-more');
});

it('leaves the folder as it was', async () => {
  await workflow('- run: rm -rf file .git; echo changed > other');
  await repository.write({ file: 'mine' });
  await exec();
  expect(await readFile(repository.join('file'), 'utf8')).toBe('mine');
  expect((await readdir(repository.path)).toSorted()).toEqual(['.forgejo', 'file']);
});
