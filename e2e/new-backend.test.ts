import { spawnSync } from 'node:child_process';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildRunner } from './built-runner.ts';
import { type Finished, runProgram } from './run-program.ts';
import { takeFromTarballs } from './take-from-tarballs.ts';

const repository = fileURLToPath(new URL('..', import.meta.url));
const builder = join(repository, 'packages', 'builder', 'bin', 'forgejo-runner-build.mjs');
const path = process.env['PATH'] ?? '';

let work: TempFolder;
/** The package as it was created, and a copy where the packages of this project come from tarballs. */
let created: string;
let installed: string;

beforeAll(async () => {
  const built = spawnSync('npm', ['run', 'build', '--silent'], { cwd: repository, encoding: 'utf8' });
  if (built.status !== 0) throw new Error(`build: ${built.stdout}${built.stderr}`);
  work = await openTempFolder('forgejo-runner-new-');
  await succeed(build('create', 'backend', '@acme/backend-foo'));
  created = work.join('backend-foo');
  installed = work.join('installed');
  await cp(created, installed, { recursive: true });
  await takeFromTarballs(join(installed, 'package.json'), work.path);
  await succeed(npm('install', '--prefer-offline', '--no-audit', '--no-fund'));
});
afterAll(() => work[Symbol.asyncDispose]());

function build(...args: readonly string[]): Promise<Finished> {
  const env = { PATH: path, HOME: work.path, FORGEJO_RUNNER_BUILD_CACHE: work.join('cache') };
  const command = [process.execPath, '--conditions=@forgejo-runner/source', builder] as const;
  return runProgram([...command, ...args], { cwd: work.path, env });
}

/** The registry of the machine's configuration, which this repository was installed from. */
function npm(...args: readonly string[]): Promise<Finished> {
  const { CI: _lane, ...env } = process.env;
  return runProgram(['npm', ...args], { cwd: installed, env: env as Record<string, string> });
}

async function succeed(running: Promise<Finished>): Promise<Finished> {
  const finished = await running;
  if (finished.code !== 0) throw new Error(`exit code ${finished.code}:\n${finished.stderr}${finished.stdout}`);
  return finished;
}

it('passes its own tests out of the box, the conformance suite among them', async () => {
  const { stdout } = await succeed(npm('test'));
  expect(stdout).toMatch(/Tests\s.*\d{2} passed/);
  expect(stdout).not.toMatch(/\d failed/);
  expect(stdout).toContain('conformance of foo');
});

it('passes its types and its linter out of the box', async () => {
  const { stdout } = await succeed(npm('run', 'lint'));
  expect(stdout).toContain('Found 0 warnings and 0 errors.');
});

it('has nothing that check finds, however strict', async () => {
  await succeed(npm('run', 'build'));
  await cp(join(installed, 'dist'), join(created, 'dist'), { recursive: true });
  await cp(join(installed, 'node_modules'), join(created, 'node_modules'), { recursive: true, verbatimSymlinks: true });
  const { stdout } = await succeed(build('check', created, '--strict'));
  expect(stdout).toContain('@acme/backend-foo@0.1.0: 0 errors, 0 warnings;');
});

it('is built in, and runs its example', async () => {
  await using runner = await buildRunner(['--with', created]);
  const env = { PATH: path, HOME: work.path, LANG: 'en_SPACE' };
  const args = ['exec', '-C', created, '-W', join(created, 'example.yml'), '-P', 'test=foo?pass=LANG'];
  const { stdout } = await succeed(runProgram([...runner.command, ...args], { cwd: created, env }));
  expect(stdout).toContain('the rest of a job is files');
  expect(stdout).toContain('where LANG is en_SPACE');
});
