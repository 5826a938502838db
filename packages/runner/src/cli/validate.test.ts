import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { fakeIo } from '../../test/fake-io.ts';
import { main } from '../main.ts';

const workflow = 'on: push\njobs: { a: { runs-on: x, steps: [{ run: "true" }] } }\n';
const broken = 'on: push\njobs: { a: { runs-on: x, stesp: [] } }\n';
const action = 'name: a\nruns: { using: composite, steps: [] }\n';

let cwd: string;

beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'validate-'));
  vi.stubEnv('TMPDIR', cwd);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(cwd, { recursive: true });
});

async function write(files: Record<string, string>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(cwd, name)), { recursive: true });
    await writeFile(join(cwd, name), text);
  }
}

async function validate(...args: string[]) {
  const { io, stdout, stderr } = fakeIo({ cwd, env: { PATH: process.env['PATH'], HOME: cwd } });
  const exitCode = await main(['validate', ...args], io);
  return { exitCode, stdout: stdout(), stderr: stderr() };
}

it('checks one workflow', async () => {
  await write({ 'a.yml': workflow, 'b.yml': broken });
  expect(await validate('--path', 'a.yml', '--workflow')).toEqual({
    exitCode: 0,
    stdout: 'a.yml: workflow is valid\n1 file checked, all valid\n',
    stderr: '',
  });
  const { exitCode, stdout } = await validate('--path', 'b.yml', '--workflow');
  expect(exitCode).toBe(1);
  expect(stdout).toMatch(/^b\.yml:2:26: .*stesp/m);
  expect(stdout).toContain('1 file checked, 1 not valid\n');
});

it('takes a file for what its name says, unless it is told', async () => {
  await write({ 'action.yml': action, 'other.yaml': action });
  expect((await validate('--path', 'action.yml')).stdout).toContain('action.yml: action is valid');
  expect((await validate('--path', 'other.yaml')).exitCode).toBe(1);
  expect((await validate('--path', 'other.yaml', '--action')).exitCode).toBe(0);
});

it('checks all workflows and actions of a folder, and follows no link', async () => {
  await write({
    '.forgejo/workflows/ci.yml': workflow,
    '.forgejo/workflows/bad.yaml': broken,
    '.forgejo/workflows/notes.txt': 'x',
    '.github/workflows/ignored.yml': broken,
    'action.yml': action,
    'deep/er/action.yaml': action,
    'node_modules/x/action.yml': broken,
    'other.yml': broken,
  });
  await symlink('/etc', join(cwd, 'etc'));
  await symlink('/etc/passwd', join(cwd, 'deep', 'action.yml'));
  const { stdout, exitCode } = await validate('--json');
  const read = JSON.parse(stdout);
  expect(exitCode).toBe(1);
  expect(read).toMatchObject({ schema: 1, valid: false });
  expect(
    read.files.map(({ file, kind, problems }: Record<string, unknown[]>) => [file, kind, problems?.length]),
  ).toEqual([
    ['.forgejo/workflows/bad.yaml', 'workflow', expect.any(Number)],
    ['.forgejo/workflows/ci.yml', 'workflow', 0],
    ['action.yml', 'action', 0],
    ['deep/er/action.yaml', 'action', 0],
  ]);
  expect(read.files[0].problems[0]).toMatchObject({ line: 2, column: expect.any(Number), message: expect.any(String) });
});

it('says so when there is nothing to check or to read', async () => {
  expect(await validate()).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('expected workflows or actions in ".", found none'),
  });
  expect((await validate('--directory', 'missing')).stderr).toContain(
    `expected a readable folder at ${JSON.stringify(join(cwd, 'missing'))}, found ENOENT`,
  );
  expect((await validate('--path', 'missing.yml')).stdout).toContain(
    'missing.yml:1:1: expected a readable file, found ENOENT',
  );
});

it.each([
  [['--path', 'a', '--directory', 'b'], 'option "--path <file>" cannot be used with option "--directory <folder>"'],
  [['--repository', 'a', '--directory', 'b'], 'cannot be used with option "--repository <url>"'],
  [['--workflow', '--action', '--path', 'a'], 'option "--workflow" cannot be used with option "--action"'],
  [['--workflow'], 'expected --path with --workflow'],
])('refuses %j', async (args, message) => {
  const { exitCode, stderr } = await validate(...args);
  expect(exitCode).toBe(64);
  expect(stderr).toContain(message);
});

it('clones a repository, checks it and removes it', async () => {
  await write({ 'origin/.forgejo/workflows/ci.yml': workflow });
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', join(cwd, 'origin'), '-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args]);
  git('init', '-q');
  git('add', '.');
  git('commit', '-q', '-m', 'first');
  const url = `file://${join(cwd, 'origin')}`;
  expect(await validate('--repository', url)).toEqual({
    exitCode: 0,
    stdout: '.forgejo/workflows/ci.yml: workflow is valid\n1 file checked, all valid\n',
    stderr: '',
  });
  expect(await readdir(cwd)).toEqual(['origin']);
  expect((await validate('--repository', url, '--clonedir', 'kept')).exitCode).toBe(0);
  expect((await readdir(cwd)).toSorted()).toEqual(['kept', 'origin']);
});

it('does not take a repository for an option, and shows no password', async () => {
  const { stderr } = await validate('--repository', '--upload-pack=touch pwned');
  expect(stderr).toContain('error FRR104');
  expect((await validate('--repository', 'https://ada:hunter2@localhost:1/x')).stderr).not.toContain('hunter2');
  expect(await readdir(cwd)).toEqual([]);
});

it('says so when there is no git', async () => {
  const { io, stderr } = fakeIo({ cwd, env: { PATH: cwd } });
  expect(await main(['validate', '--repository', 'https://x.example/a'], io)).toBe(1);
  expect(stderr()).toContain('expected to clone "https://x.example/a", found: git was not found');
});

it('stops when it is interrupted, and leaves nothing', async () => {
  const { io, stderr, interrupt } = fakeIo({ cwd, env: { PATH: process.env['PATH'] } });
  interrupt.abort(new Error('stop'));
  expect(await main(['validate', '--repository', 'https://x.example/a'], io)).not.toBe(0);
  expect(stderr()).toContain('stop');
  expect(await readdir(cwd)).toEqual([]);
});

it('checks calls between the workflows of a folder', async () => {
  await write({
    '.forgejo/workflows/called.yml': `on:
  workflow_call:
    inputs: { name: { type: string, required: true }, count: { type: number }, loud: { type: boolean } }
    secrets: { token: { required: true }, other: { required: false } }
jobs: { a: { runs-on: x, steps: [] } }
`,
    '.forgejo/workflows/caller.yml': `on: push
jobs:
  right:
    uses: ./.forgejo/workflows/called.yml
    with: { NAME: "", count: "\${{ vars.N }}", loud: "true" }
    secrets: { Token: x }
  inherits: { uses: ./.forgejo/workflows/called.yml, with: { name: a }, secrets: inherit }
  elsewhere: { uses: o/r/x.yml@v1 }
  wrong:
    uses: ./.forgejo/workflows/called.yml
    with: { nmae: x, count: many }
    secrets: { tokn: x }
  missing: { uses: ./.forgejo/workflows/no.yml }
  plain: { uses: ./.forgejo/workflows/plain.yml }
  itself: { uses: ./.forgejo/workflows/caller.yml }
`,
    '.forgejo/workflows/plain.yml': workflow,
  });
  const { exitCode, stdout } = await validate('--directory', '.');
  expect(exitCode).toBe(1);
  expect(stdout.split('\n')).toEqual([
    '.forgejo/workflows/called.yml: workflow is valid',
    expect.stringMatching(
      /caller\.yml:11:13: expected one of the inputs "name", .*found "nmae"; did you mean "name"\?$/,
    ),
    expect.stringMatching(/caller\.yml:11:29: expected the input "count" to be a number, found "many"$/),
    expect.stringMatching(/caller\.yml:12:16: expected one of the secrets "token", .*found "tokn"/),
    expect.stringMatching(/caller\.yml:10:11: expected the input "name" .*found none$/),
    expect.stringMatching(/caller\.yml:10:11: expected the secret "token" .*found none$/),
    expect.stringMatching(/caller\.yml:13:20: expected a workflow at "\.forgejo\/workflows\/no\.yml", found none$/),
    expect.stringMatching(
      /caller\.yml:14:18: expected a workflow that can be called, found "\.forgejo\/workflows\/plain/,
    ),
    expect.stringMatching(/caller\.yml:15:19: expected workflows that do not call themselves/),
    '.forgejo/workflows/plain.yml: workflow is valid',
    '3 files checked, 1 not valid',
    '',
  ]);
});
