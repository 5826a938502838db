import { execFile } from 'node:child_process';
import { chmod, cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { type LocalRegistry, openTempFolder, startLocalRegistry } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { publishVariant } from './publish-variant.ts';
import { fixture, listBackends, openWorkplace, type Workplace } from './run-builder.ts';

const run = promisify(execFile);
const main = 'forgejo-runner.build.yaml';
const lockName = 'forgejo-runner.build.lock';
let registry: LocalRegistry;
let npmrc: string;

beforeAll(async () => {
  registry = await startLocalRegistry();
  npmrc = await readFile(registry.npmrc, 'utf8');
  await publishVariant(registry, 'cjs-only', { name: '@acme/dep', version: '1.0.0', forgejoRunner: undefined });
  await publishVariant(registry, 'good', { dependencies: { '@acme/dep': '^1.0.0' } });
}, 120_000);
afterAll(() => registry[Symbol.asyncDispose]());

/** A project with a manifest that asks for one package from the registry. */
async function open(options: { cacheDir?: string; npmrc?: string } = {}): Promise<Workplace> {
  const workplace = await openWorkplace({ npmrc, ...options });
  await workplace.project.write({
    [main]: `with: ["@acme/backend-good@^1"]\nwithout: [host]\nreplace: { "@forgejo-runner/runner": ${fixture('runner')} }\n`,
  });
  return workplace;
}

interface Lock {
  readonly requests: readonly { readonly request: string; readonly spec: string }[];
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly integrity?: string }>>;
}

async function lockOf(workplace: Workplace): Promise<Lock> {
  return JSON.parse(await readFile(workplace.project.join(lockName), 'utf8')) as Lock;
}

it('locks every package, and stays with it while newer ones appear', async () => {
  await using workplace = await open();
  expect((await workplace.build()).stderr).not.toContain('FRB');
  const first = await readFile(workplace.project.join(lockName), 'utf8');
  const lock = JSON.parse(first) as Lock;
  expect(lock.requests).toMatchObject([{ request: '@acme/backend-good@^1', spec: '1.0.0' }]);
  expect(lock.packages['node_modules/@acme/dep']).toMatchObject({
    version: '1.0.0',
    integrity: expect.stringMatching(/^sha512-/) as string,
  });
  // Nothing of this machine or of its registry.
  for (const place of [registry.url, workplace.project.path, workplace.cacheDir, '$TREE/']) {
    expect(first.replaceAll('file:$TREE/stand-ins', '')).not.toContain(place);
  }
  await publishVariant(registry, 'cjs-only', { name: '@acme/dep', version: '1.1.0', forgejoRunner: undefined });
  await publishVariant(registry, 'good', { version: '1.2.0', dependencies: { '@acme/dep': '^1.0.0' } });
  // Another machine: an empty cache.
  await using other = await open();
  await cp(workplace.project.join(lockName), other.project.join(lockName));
  other.env['CI'] = 'true';
  expect((await other.build()).code).toBe(0);
  expect(await readFile(other.project.join(lockName), 'utf8')).toBe(first);
  expect(await readFile(other.project.join('forgejo-runner.mjs'))).toEqual(
    await readFile(workplace.project.join('forgejo-runner.mjs')),
  );

  expect((await workplace.build('outdated')).stdout).toBe(
    '@acme/backend-good  locked 1.0.0  update gives 1.2.0  latest 1.2.0\n',
  );
  expect((await workplace.build('why', '@acme/dep')).stdout).toBe('@acme/backend-good@1.0.0 > @acme/dep@1.0.0\n');
  expect((await workplace.build('update', '@acme/dep')).stdout).toBe('@acme/dep 1.0.0 -> 1.1.0\n');
  expect((await workplace.build('update')).stdout).toBe('@acme/backend-good 1.0.0 -> 1.2.0\n');
  expect((await workplace.build('update', '@acme/nothing')).stderr).toContain(
    'FRB207 "@acme/nothing" is not in the lock',
  );
  expect((await lockOf(workplace)).requests).toMatchObject([{ spec: '1.2.0' }]);
});

it('refuses a lock that does not fit when it is frozen, before anybody is asked', async () => {
  await using workplace = await open({ npmrc: 'registry=http://127.0.0.1:9/\nfetch-retries=0\n' });
  const none = await workplace.build('--frozen');
  expect(none.stderr).toContain(`FRB314 expected a lock at ${workplace.project.join(lockName)}, found none`);
  expect(none.code).toBe(3);
  await using source = await open();
  await source.build('fetch');
  await cp(source.project.join(lockName), workplace.project.join(lockName));
  await workplace.build('add', '@acme/backend-more@^2');
  const more = await workplace.build('--frozen');
  expect(more.stderr).toContain('FRB314 @acme/backend-more@^2 is not in the lock');
  await workplace.build('remove', '@acme/backend-more');
  await workplace.build('add', '@acme/backend-good@^1.0.0');
  expect((await workplace.build('--frozen')).stderr).toContain('FRB314 @acme/backend-good@^1.0.0 is not in the lock');
  await writeFile(workplace.project.join(lockName), '{"lockVersion": 2}');
  expect((await workplace.build('--frozen')).stderr).toContain(
    'FRB315 expected a lock of forgejo-runner-build, but lockVersion: ',
  );
});

it('leaves the lock as it is for a package that is asked for once', async () => {
  await using workplace = await open();
  await workplace.build('fetch');
  const before = await readFile(workplace.project.join(lockName), 'utf8');
  expect((await workplace.build('--with', fixture('subpath'))).code).toBe(0);
  expect(await readFile(workplace.project.join(lockName), 'utf8')).toBe(before);
});

it('refuses content that is not what was locked', async () => {
  await using workplace = await open();
  await workplace.build('fetch');
  const file = workplace.project.join(lockName);
  const text = await readFile(file, 'utf8');
  const { packages } = JSON.parse(text) as Lock;
  const { integrity = '' } = packages['node_modules/@acme/dep'] ?? {};
  await writeFile(file, text.replace(integrity, `sha512-${'A'.repeat(86)}==`));
  const { code, stderr } = await workplace.build('--frozen');
  expect(stderr).toContain('content does not match its checksum; nothing was built');
  expect(code).toBe(3);
});

it('makes manifest and lock again from a built runner, without starting it', async () => {
  await using workplace = await open();
  await workplace.build('--output', 'runner.mjs');
  const runner = workplace.project.join('runner.mjs');
  await chmod(runner, 0o644);
  await using other = await openWorkplace({ npmrc });
  const { code, stdout } = await other.build('update', '--from', runner);
  expect(stdout).toContain(`wrote ${other.project.join(lockName)}`);
  expect(code).toBe(0);
  expect(await readFile(other.project.join(lockName), 'utf8')).toBe(
    await readFile(workplace.project.join(lockName), 'utf8'),
  );
  expect(await readFile(other.project.join(main), 'utf8')).toContain(
    'with:\n  - "@acme/backend-good@^1"\nwithout:\n  - host\n',
  );
  expect((await other.build('update', '--from', fixture('good/index.js'))).stderr).toContain('has no lock in it');
});

/** Empties the cache, and npm's own. */
async function forget(workplace: Workplace): Promise<void> {
  await rm(workplace.cacheDir, { recursive: true });
  await rm(path.join(path.dirname(workplace.cacheDir), '.npm'), { recursive: true, force: true });
}

async function canUnshare(): Promise<boolean> {
  return run('unshare', ['--user', '--map-root-user', '--net', 'true']).then(
    () => true,
    () => false,
  );
}

/** Runs the builder where there is no network at all, not even the loopback address. */
async function withoutNetwork(
  workplace: Workplace,
  ...args: readonly string[]
): Promise<{ code: number; stderr: string }> {
  const { file, args: all, options } = workplace.command(...args);
  return run('unshare', ['--user', '--map-root-user', '--net', file, ...all], options).then(
    ({ stderr }) => ({ code: 0, stderr }),
    (error: { code: number; stderr: string }) => error,
  );
}

it('builds without a network what was fetched before', async ({ skip }) => {
  skip(!(await canUnshare()), 'needs a user namespace with a network of its own');
  await using workplace = await open();
  const early = await withoutNetwork(workplace, '--offline');
  expect(early.stderr).toContain('FRB313 @acme/backend-good@^1: nobody may be asked which version that is');
  expect(early.code).toBe(3);
  expect((await workplace.build('fetch')).code).toBe(0);
  const ended = await withoutNetwork(workplace, '--offline', '--frozen');
  expect(ended).toMatchObject({ code: 0 });
  expect(await listBackends(workplace.project.join('forgejo-runner.mjs'))).toEqual(['good']);
  // Flags alone: what was fetched for them counts as well.
  const flags = ['--no-manifest', '--without', 'host', '--replace', `@forgejo-runner/runner=${fixture('runner')}`];
  const spec = ['--with', '@acme/backend-good@>=1'];
  await workplace.build('fetch', ...flags, ...spec);
  expect((await withoutNetwork(workplace, ...flags, ...spec, '--offline')).code).toBe(0);
});

it('builds from vendored tarballs without network and cache, and trusts none that was changed', async ({ skip }) => {
  skip(!(await canUnshare()), 'needs a user namespace with a network of its own');
  await using workplace = await open();
  expect((await workplace.build('vendor')).code).toBe(0);
  const vendor = workplace.project.join('forgejo-runner.vendor');
  expect((await readdir(vendor)).toSorted()).toEqual([
    expect.stringMatching(/^@acme\+backend-good@1\.\d\.0\.tgz$/) as string,
    expect.stringMatching(/^@acme\+dep@1\.\d\.0\.tgz$/) as string,
    'index.json',
    'lock.json',
  ]);
  await forget(workplace);
  expect(await withoutNetwork(workplace, '--offline', '--frozen')).toMatchObject({ code: 0 });
  const [tarball = ''] = await readdir(vendor);
  await cp(fixture('good/index.js'), path.join(vendor, tarball));
  await forget(workplace);
  const changed = await withoutNetwork(workplace, '--offline', '--frozen');
  expect(changed.stderr).toContain('FRB305');
  expect(changed.code).toBe(3);
});

it('finds what was changed in the cache, builds nothing of it, and repairs it', async () => {
  await using cache = await openTempFolder();
  await using workplace = await open({ cacheDir: cache.path });
  await workplace.build();
  expect((await workplace.build('cache', 'verify')).stdout).toMatch(/^\d+ checked, 0 damaged\n$/);
  const [tree = ''] = (await readdir(cache.join('trees'))).filter((name) => !name.includes('.'));
  const file = cache.join(`trees/${tree}/node_modules/@acme/backend-good/index.js`);
  await writeFile(file, `${await readFile(file, 'utf8')}\nconsole.log('an intruder');\n`);
  const refused = await workplace.build();
  expect(refused.stderr).toContain(`FRB316 ${tree}/node_modules/@acme/backend-good/index.js is not what was installed`);
  expect(refused.code).toBe(3);
  const verified = await workplace.build('cache', 'verify');
  expect(verified.stdout).toContain(
    `removed trees/${tree}: 1 changed, such as node_modules/@acme/backend-good/index.js\n`,
  );
  expect(verified.code).toBe(3);
  expect((await workplace.build()).code).toBe(0);
});

it('lists the cache, and removes what is not used', async () => {
  await using cache = await openTempFolder();
  await using workplace = await open({ cacheDir: cache.path });
  await workplace.build();
  const entries = JSON.parse((await workplace.build('cache', 'ls', '--json')).stdout) as {
    entries: { room: string; sizeBytes: number }[];
  };
  expect(entries.entries).toContainEqual(
    expect.objectContaining({ room: 'trees', sizeBytes: expect.any(Number) as number }),
  );
  expect((await workplace.build('cache', 'prune', '--max-size', '1GB')).stdout).toContain('0 entries removed');
  await workplace.build('cache', 'prune', '--unused-for', '0');
  expect((await workplace.build('cache', 'ls')).stdout).toBe('');
  expect((await workplace.build('cache', 'prune', '--max-size', 'much')).stderr).toContain(
    'FRB209 --max-size "much": expected a size such as 300kB, 5MB or 2GiB',
  );
});
