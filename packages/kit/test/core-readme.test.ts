import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { getPriority } from 'node:os';
import path from 'node:path';
import { type BackendFactory, type CallContext, factories, parseLabel } from '@forgejo-runner/core';
import { afterAll, beforeAll, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '..', '..', '..');
const never = new AbortController().signal;
const silent = (): void => {};
const ctx: CallContext = {
  signal: never,
  deadline: Date.now() + 60_000,
  log: { debug: silent, info: silent, warn: silent, error: silent },
  progress: silent,
  emit: silent,
};
let folder = '';
let example = '';

beforeAll(async () => {
  const readme = await readFile(path.join(root, 'packages', 'core', 'README.md'), 'utf8');
  // Below this package, so that what it imports is found.
  await mkdir(path.join(root, 'packages', 'kit', 'dist'), { recursive: true });
  folder = await mkdtemp(path.join(root, 'packages', 'kit', 'dist', 'readme-'));
  example = path.join(folder, 'example.ts');
  await writeFile(example, /```ts\n(.*?)```/s.exec(readme)?.[1] ?? '');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it('is correct as TypeScript', async () => {
  const project = path.join(folder, 'tsconfig.json');
  await writeFile(
    project,
    JSON.stringify({ extends: path.join(root, 'tsconfig.tests.json'), include: [example], exclude: [] }),
  );
  const tsc = path.join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  expect(execFileSync(process.execPath, [tsc, '-p', project], { encoding: 'utf8' })).toBe('');
});

it('registers itself, runs a command and cleans up', async () => {
  const { factory } = (await import(example)) as { readonly factory: BackendFactory };
  expect(factories.get('scratch')?.factory).toBe(factory);
  const config = await factory.configSchema['~standard'].validate({});
  const owner = { runner: 'r', boot: 'b' };
  const input = {
    config: 'value' in config && config.value,
    owner,
    stateDir: folder,
    apiVersion: '1.0.0',
    addMask: silent,
  };
  const backend = await factory.create(input, ctx);
  const label = await backend.resolveLabel(parseLabel('fast:scratch?nice=5'), ctx);
  const environment = await backend.createEnvironment(
    {
      name: 'readme',
      task: { id: '1', attempt: 1, repository: 'o/r', workflow: 'w', job: 'j' },
      owner,
      label,
      plan: { services: [], stepContainers: 'none' },
      expiresAt: Date.now() + 60_000,
    },
    ctx,
  );
  let stdout = '';
  const handle = environment.target?.exec(
    {
      argv: ['sh', '-c', 'nice; pwd'],
      env: environment.target.baseEnv,
      cwd: environment.info.paths.workspace,
      stdout: (chunk) => void (stdout += Buffer.from(chunk).toString()),
      stderr: silent,
    },
    ctx,
  );
  expect(await handle?.result).toEqual({ kind: 'exited', code: 0 });
  // Niceness adds up, to 19 at most: these tests may run under `nice` themselves.
  expect(stdout).toBe(`${Math.min(getPriority() + 5, 19)}\n${environment.info.paths.workspace}\n`);
  await environment.remove(ctx);
  expect(existsSync(environment.info.paths.workspace)).toBe(false);
});
