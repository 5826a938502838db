import { execFileSync } from 'node:child_process';
import { cp, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { type LocalRegistry, openTempFolder, startLocalRegistry, type TempFolder } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { refusingRegistry, tamperingRegistry } from './broken-registries.ts';
import { publishVariant } from './publish-variant.ts';
import {
  type Ended,
  fixture,
  listBackends,
  openWorkplace,
  runBuilt,
  type Workplace,
  withFixtureRunner,
} from './run-builder.ts';

let registry: LocalRegistry;
let cache: TempFolder;
let npmrc: string;

beforeAll(async () => {
  registry = await startLocalRegistry();
  cache = await openTempFolder();
  npmrc = await readFile(registry.npmrc, 'utf8');
  await publishVariant(registry, 'good');
  await publishVariant(registry, 'good', { version: '1.4.2' });
  await publishVariant(registry, 'good', { version: '2.0.0-beta.1' });
  await publishVariant(registry, 'subpath', { name: '@acme/backend-k8s', version: '2.7.4' });
  await publishVariant(registry, 'other-major', { name: '@acme/backend-k8s' });
  await publishVariant(registry, 'not-a-backend');
  await publishVariant(registry, 'cjs-only', {
    name: '@acme/backend-needy',
    dependencies: { '@acme/never-published': '^1.0.0' },
  });
  await publishVariant(registry, 'cjs-only', { name: '@acme/peer-thing', version: '1.0.0', forgejoRunner: undefined });
  await publishVariant(registry, 'cjs-only', { name: '@acme/peer-thing', version: '2.0.0', forgejoRunner: undefined });
  for (const [id, range] of [
    ['one', '^1.0.0'],
    ['two', '^2.0.0'],
  ]) {
    const peers = { '@forgejo-runner/core': '^1.0.0', '@acme/peer-thing': range };
    await publishVariant(registry, 'cjs-only', {
      name: `@acme/backend-peer-${id}`,
      forgejoRunner: { api: 1, backends: [id] },
      peerDependencies: peers,
    });
  }
}, 120_000);
afterAll(async () => {
  await registry[Symbol.asyncDispose]();
  await cache[Symbol.asyncDispose]();
});

function open(config: string = npmrc): Promise<Workplace> {
  return openWorkplace({ npmrc: config, cacheDir: cache.path });
}

async function build(workplace: Workplace, ...flags: readonly string[]): Promise<Ended & { output: string }> {
  const output = workplace.project.join('runner.mjs');
  return { ...(await workplace.build(...withFixtureRunner, '--output', output, ...flags)), output };
}

async function packagesOf(output: string): Promise<unknown> {
  const info = JSON.parse((await runBuilt(output, 'build-info')).stdout) as { packages: { name: string }[] };
  return info.packages.find((one) => one.name.startsWith('@acme/'));
}

it.each([
  { spec: '@acme/backend-good', version: '1.4.2', said: 'latest' },
  { spec: '@acme/backend-good@1.0.0', version: '1.0.0', said: '1.0.0' },
  { spec: '@acme/backend-good@^1.1', version: '1.4.2', said: '^1.1' },
  { spec: '@acme/backend-good@2.0.0-beta.1', version: '2.0.0-beta.1', said: '2.0.0-beta.1' },
])('builds $spec from the registry of the project, at $version', async ({ spec, version, said }) => {
  await using workplace = await open();
  const { code, output, stderr } = await build(workplace, '--with', spec);
  expect(stderr).not.toContain('FRB');
  expect(code).toBe(0);
  expect(await listBackends(output)).toEqual(['good']);
  expect(await packagesOf(output)).toEqual({
    name: '@acme/backend-good',
    version,
    source: 'registry',
    spec: said,
    integrity: expect.stringMatching(/^sha512-/) as string,
    backends: ['good'],
  });
});

it('asks no registry when an exact version was installed before', async () => {
  await using first = await open();
  await build(first, '--with', '@acme/backend-good@1.4.2');
  await using offline = await open('registry=http://127.0.0.1:9/\nfetch-retries=0\nmin-release-age=0\n');
  const { code } = await build(offline, '--with', '@acme/backend-good@1.4.2');
  expect(code).toBe(0);
});

it('names packages that were perhaps meant when there is none of that name', async () => {
  await using workplace = await open();
  const { code, stderr } = await build(workplace, '--with', '@acme/backend-goood');
  expect(stderr).toContain(
    `FRB304 "@acme/backend-goood" is not at ${registry.url}\n  next: did you mean @acme/backend-good`,
  );
  expect(code).toBe(3);
});

it('says how a private package is found when there is none of that name and none like it', async () => {
  await using workplace = await open();
  const { stderr } = await build(workplace, '--with', '@corp/something-else-entirely');
  expect(stderr).toContain(
    `FRB304 "@corp/something-else-entirely" is not at ${registry.url}\n  next: check the name; if it is private, tell npm its registry in .npmrc (@corp:registry=URL) and log in`,
  );
});

it('names the versions that exist when none fits', async () => {
  await using workplace = await open();
  const { code, stderr } = await build(workplace, '--with', '@acme/backend-good@^7');
  expect(stderr).toContain(
    'FRB306 no version of @acme/backend-good fits "^7"\n  next: ask for one that exists; the newest are 2.0.0-beta.1, 1.4.2, 1.0.0',
  );
  expect(code).toBe(3);
});

it('names the latest version for this API when the newest is for another', async () => {
  await using workplace = await open();
  const { code, stderr } = await build(workplace, '--with', '@acme/backend-k8s');
  expect(stderr).toContain(
    'FRB401 @acme/backend-k8s@3.0.0 is written for API 2; this runner (1.0.0) speaks API 1\n  next: use --with @acme/backend-k8s@2.7.4 (latest for API 1)',
  );
  expect(code).toBe(4);
});

it('refuses what is no backend before it is installed', async () => {
  await using fresh = await openTempFolder();
  await using workplace = await openWorkplace({ npmrc, cacheDir: fresh.path });
  const { code, stderr } = await build(workplace, '--with', 'left-padding');
  expect(stderr).toContain(
    'FRB302 left-padding@1.3.0 is not a runner backend: package.json has no "forgejoRunner" field',
  );
  expect(code).toBe(3);
  expect(await readdir(fresh.path)).not.toContain('trees');
});

it('says who needs a package that does not exist', async () => {
  await using workplace = await open();
  const { stderr } = await build(workplace, '--with', '@acme/backend-needy@1.0.0');
  expect(stderr).toContain(
    `FRB304 "@acme/never-published" is not at ${registry.url}, which @acme/backend-needy@1.0.0 depends on`,
  );
});

it('says which packages exclude each other', async () => {
  await using workplace = await open();
  const flags = ['--with', '@acme/backend-peer-one@1.0.0', '--with', '@acme/backend-peer-two@1.0.0'];
  const { code, stderr } = await build(workplace, ...flags);
  expect(stderr).toMatch(/FRB308 .*@acme\/backend-peer-(?:one|two)@1\.0\.0 needs @acme\/peer-thing \^[12]\.0\.0/);
  expect(stderr).not.toContain('--force');
  expect(code).toBe(3);
});

it('says that the registry does not answer, in seconds', async () => {
  await using workplace = await open('registry=http://127.0.0.1:9/\n');
  const { code, stderr } = await build(workplace, '--with', '@acme/backend-good');
  expect(stderr).toContain(
    'FRB307 @acme/backend-good@latest could not be looked up: http://127.0.0.1:9 does not answer (ECONNREFUSED)\n  next: check the network, and registry and proxy in .npmrc',
  );
  expect(code).toBe(3);
});

it('refuses content that is not what the registry announced', async () => {
  await using proxy = await tamperingRegistry(registry.url);
  await using fresh = await openTempFolder();
  await using workplace = await openWorkplace({
    npmrc: `min-release-age=0\nregistry=${proxy.url}/\ncache=${fresh.join('npm')}\n`,
    cacheDir: fresh.path,
  });
  const { code, stderr } = await build(workplace, '--with', '@acme/backend-good@1.0.0');
  expect(stderr).toContain('FRB305 @acme/backend-good@1.0.0: content does not match its checksum; nothing was built');
  expect(code).toBe(3);
  expect((await readdir(fresh.join('trees'))).filter((name) => !name.endsWith('.json'))).toEqual([]);
});

it('prints no secret of the configuration', async () => {
  await using guarded = await refusingRegistry();
  const config = `registry=http://user:p4ssw0rd@127.0.0.1:${guarded.port}/\n//127.0.0.1:${guarded.port}/:_authToken=\${SECRET_TOKEN}\n`;
  await using workplace = await open(config);
  workplace.env['SECRET_TOKEN'] = 'hunter2-token';
  const { code, stdout, stderr } = await build(workplace, '--with', '@acme/backend-good', '--verbose');
  expect(stderr).toContain('FRB310 @acme/backend-good@latest: the registry refuses access (E401)');
  expect(code).toBe(3);
  expect(guarded.logins()).toContain('Bearer hunter2-token');
  expect(`${stdout}${stderr}`).not.toMatch(/hunter2|p4ssw0rd/);
});

it('builds from a tarball, with and without its name', async () => {
  await using workplace = await open();
  execFileSync('npm', ['pack', '--ignore-scripts', fixture('good')], { cwd: workplace.project.path, stdio: 'ignore' });
  for (const spec of ['./acme-backend-good-1.0.0.tgz', '@acme/backend-good=./acme-backend-good-1.0.0.tgz']) {
    const { code, output, stderr } = await build(workplace, '--with', spec);
    expect(stderr).not.toContain('FRB');
    expect(code).toBe(0);
    expect(await packagesOf(output)).toMatchObject({
      source: 'tarball',
      version: '1.0.0',
      integrity: expect.any(String) as string,
    });
  }
});

it('builds from a branch of a git repository, and from what it points to later', async () => {
  await using workplace = await open();
  await using repository = await openTempFolder();
  const git = (...args: readonly string[]): void =>
    void execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.org', ...args], {
      cwd: repository.path,
      stdio: 'ignore',
    });
  git('init', '--initial-branch=stable');
  await cp(fixture('good'), repository.path, { recursive: true });
  git('add', '.');
  git('commit', '-m', 'one');
  const spec = `git+file://${repository.path}#stable`;
  const first = await build(workplace, '--with', spec);
  expect(first.stderr).not.toContain('FRB');
  expect(await listBackends(first.output)).toEqual(['good']);
  await rm(repository.join('index.js'));
  await cp(fixture('registers-other'), repository.path, { recursive: true });
  git('add', '.');
  git('commit', '-m', 'two');
  const second = await build(workplace, '--with', spec);
  expect(second.stderr).toContain('FRB505 @acme/backend-registers-other@1.0.0');
  const missing = await build(workplace, '--with', `git+file://${repository.path}#nowhere`);
  expect(missing.stderr).toContain('expected a branch, a tag or a commit, found no "nowhere"');
});

it('builds two packages from the registry into one runner', async () => {
  await using workplace = await open();
  const flags = ['--with', '@acme/backend-good@1.4.2', '--with', '@acme/backend-k8s@2.7.4'];
  const { code, output } = await build(workplace, ...flags);
  expect(code).toBe(0);
  expect(await listBackends(output)).toEqual(['good', 'sub']);
});

it('lets two builders share one cache at the same time', async () => {
  await using fresh = await openTempFolder();
  await using one = await openWorkplace({ npmrc, cacheDir: fresh.path });
  await using two = await openWorkplace({ npmrc, cacheDir: fresh.path });
  const ended = await Promise.all(
    [one, two].map((workplace) => build(workplace, '--with', '@acme/backend-good@1.4.2')),
  );
  expect(ended.map((result) => result.code)).toEqual([0, 0]);
  const trees = await readdir(fresh.join('trees'));
  expect(trees.filter((name) => !name.endsWith('.json'))).toHaveLength(1);
  expect(await readdir(fresh.join('work'))).toEqual([]);
});

it('leaves nothing of the configuration in the cache', async () => {
  const files = await readdir(path.join(cache.path, 'trees'), { recursive: true });
  expect(files.filter((name) => path.basename(name) === '.npmrc')).toEqual([]);
});
