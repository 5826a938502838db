import { execFileSync, spawnSync } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Finished, runProgram } from './run-program.ts';

const repository = fileURLToPath(new URL('..', import.meta.url));
const builder = fileURLToPath(new URL('../packages/builder/bin/forgejo-runner-build.mjs', import.meta.url));
const target = `${process.platform}-${process.arch}`;
let work: TempFolder;
let packed: Finished;

// The other platforms are the same files around other executables, which have tests of their own.
beforeAll(async () => {
  work = await openTempFolder('forgejo-runner-release-');
  // One of its own on top, so that the lock is not written into the repository.
  const manifest = work.join('forgejo-runner.build.yaml');
  await writeFile(manifest, `extends: ${repository}distribution/forgejo-runner.build.yaml\n`);
  const flags = [
    '--manifest',
    manifest,
    '--target',
    target,
    '--release',
    '0.0.0-test',
    '--output',
    work.join('release'),
  ];
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: work.path,
    FORGEJO_RUNNER_BUILD_CACHE: work.join('cache'),
  };
  const command = [process.execPath, '--conditions=@forgejo-runner/source', builder, 'pack', '--no-frozen'] as const;
  packed = await runProgram([...command, ...flags], { cwd: work.path, env });
  if (packed.code !== 0) return;
  const archive = work.join('release', `forgejo-runner-0.0.0-test-${target}.tar.gz`);
  execFileSync('tar', ['--extract', '--one-top-level=prefix', '--strip-components=1', '--file', archive], {
    cwd: work.path,
  });
});
afterAll(() => work[Symbol.asyncDispose]());

function start(...args: readonly string[]): Promise<Finished> {
  const env = { HOME: work.path, PATH: process.env['PATH'] ?? '' };
  return runProgram([work.join('prefix/bin/forgejo-runner'), ...args], { cwd: repository, env });
}

it('is packed from its manifest as it stands', async () => {
  expect(packed.stderr).not.toContain('FRB');
  expect(packed.code).toBe(0);
  expect(await readdir(work.join('release'))).toContain('SHA256SUMS');
});

it('runs jobs on this machine, in containers and in LXC', async () => {
  const { stdout } = await start('list-backends', '--json');
  // The documented output of the command.
  const { backends } = JSON.parse(stdout) as { backends: { id: string }[] };
  expect(backends.map(({ id }) => id).toSorted()).toEqual(['docker', 'host', 'lxc']);
  const ran = await start('exec', '-W', 'examples/workflows/demo.yml', '-P', 'linux=host', '-s', 'DEMO_TOKEN=x');
  expect(ran).toMatchObject({ code: 0 });
});

it.runIf(process.env['CI'] !== undefined || spawnSync('systemd-analyze', ['--version']).status === 0)(
  'has a unit that systemd takes',
  async () => {
    const unit = work.join('prefix/lib/systemd/system/forgejo-runner.service');
    // systemd looks whether what is started is there.
    const text = await readFile(unit, 'utf8');
    await writeFile(unit, text.replaceAll('/usr/local/bin/', `${work.join('prefix/bin')}/`));
    const verified = spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' });
    expect([verified.status, verified.stderr]).toEqual([0, '']);
  },
);

it('has a manual page and a README that names what is there', async () => {
  expect(await readFile(work.join('prefix/share/man/man1/forgejo-runner.1'), 'utf8')).toContain('.SH COMMANDS');
  const readme = await readFile(work.join('prefix/share/doc/forgejo-runner/README.md'), 'utf8');
  for (const [, named = ''] of readme.matchAll(/\/usr\/local\/(share\/\S+)/g)) {
    expect(await readFile(work.join('prefix', named), 'utf8')).not.toBe('');
  }
});

it('has a workflow that can be run', async () => {
  const workflow = ['--path', '.forgejo/workflows/release.yml', '--workflow'];
  expect(await start('validate', ...workflow)).toMatchObject({ code: 0, stderr: '' });
});
