import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { readRemote, readRepositoryContext } from './repository-context.ts';

let folder: string;
const { signal } = new AbortController();

beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), 'repository-')), 'My Project!');
  await mkdir(folder);
  // The machine's own settings must not decide.
  vi.stubEnv('HOME', folder);
  vi.stubEnv('XDG_CONFIG_HOME', folder);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(join(folder, '..'), { recursive: true });
});

function git(...args: string[]): string {
  const identity = ['-c', 'user.email=a@example.org', '-c', 'commit.gpgsign=false'];
  return execFileSync('git', [...identity, '-C', folder, ...args], { encoding: 'utf8', stdio: 'pipe' }).trim();
}

function commit(): string {
  git('init', '-q', '-b', 'trunk');
  git('config', 'user.name', 'Ada Lovelace');
  git('commit', '-q', '--allow-empty', '-m', 'first');
  return git('rev-parse', 'HEAD');
}

it('tells what the checkout says', async () => {
  const sha = commit();
  git('remote', 'add', 'origin', 'https://ada:hunter2@forge.example:8443/base/ada/engine.git');
  git('checkout', '-q', '-b', 'feature/x');
  git('update-ref', 'refs/remotes/origin/trunk', sha);
  git('symbolic-ref', 'refs/remotes/origin/HEAD', 'refs/remotes/origin/trunk');
  await mkdir(join(folder, 'below'));
  expect(await readRepositoryContext(join(folder, 'below'), '', signal)).toEqual({
    repository: 'ada/engine',
    owner: 'ada',
    name: 'engine',
    ref: 'refs/heads/feature/x',
    refName: 'feature/x',
    refType: 'branch',
    sha,
    actor: 'Ada-Lovelace',
    defaultBranch: 'trunk',
    serverUrl: 'https://forge.example:8443',
  });
});

it('takes a tag where no branch is checked out', async () => {
  commit();
  git('tag', 'v1.0');
  git('checkout', '-q', '--detach');
  expect(await readRepositoryContext(folder, 'https://other.example/', signal)).toMatchObject({
    repository: 'local/My-Project',
    ref: 'refs/tags/v1.0',
    refName: 'v1.0',
    refType: 'tag',
    serverUrl: 'https://other.example',
  });
});

it('takes the default branch for a commit without a name', async () => {
  commit();
  git('checkout', '-q', '--detach');
  git('config', 'init.defaultBranch', 'trunk');
  expect(await readRepositoryContext(folder, undefined, signal)).toMatchObject({ ref: 'refs/heads/trunk' });
});

it('takes the last of several settings, and none that is empty', async () => {
  commit();
  git('config', '--add', 'user.name', 'Grace Hopper');
  git('config', 'init.defaultBranch', '');
  git('config', 'remote.originX.url', 'https://no.example/a/b');
  git('config', 'remote.origin.url', 'https://forge.example/one/x');
  git('config', '--add', 'remote.origin.url', 'https://forge.example/two/x');
  expect(await readRepositoryContext(folder, undefined, signal)).toMatchObject({
    actor: 'Grace-Hopper',
    defaultBranch: 'main',
    repository: 'two/x',
  });
});

it('is not led astray by the variables of a hook', async () => {
  const sha = commit();
  vi.stubEnv('GIT_DIR', '/nowhere');
  expect(await readRepositoryContext(folder, undefined, signal)).toMatchObject({ sha });
});

const without = {
  repository: 'local/My-Project',
  ref: 'refs/heads/main',
  sha: '0'.repeat(40),
  defaultBranch: 'main',
  serverUrl: 'https://code.forgejo.org',
};

it('makes do without a checkout', async () => {
  const context = await readRepositoryContext(folder, undefined, signal);
  expect(context).toMatchObject(without);
  expect(context.actor).toMatch(/^[\w.-]+$/);
});

it('makes do without git', async () => {
  commit();
  vi.stubEnv('PATH', folder);
  expect(await readRepositoryContext(folder, undefined, signal)).toMatchObject(without);
});

it('makes do with a repository that has no commit', async () => {
  git('init', '-q', '-b', 'trunk');
  expect(await readRepositoryContext(folder, undefined, signal)).toMatchObject({
    ref: 'refs/heads/trunk',
    sha: without.sha,
  });
});

it('stops when it is told to', async () => {
  await expect(readRepositoryContext(folder, undefined, AbortSignal.abort(new Error('stop')))).rejects.toThrow('stop');
});

it.each([
  ['https://forge.example/ada/engine.git', { owner: 'ada', name: 'engine', serverUrl: 'https://forge.example' }],
  ['http://localhost:3000/ada/engine/', { owner: 'ada', name: 'engine', serverUrl: 'http://localhost:3000' }],
  ['git@forge.example:ada/engine.git', { owner: 'ada', name: 'engine', serverUrl: 'https://forge.example' }],
  ['forge.example:ada/engine', { owner: 'ada', name: 'engine', serverUrl: 'https://forge.example' }],
  ['ssh://git@forge.example:22/ada/engine', { owner: 'ada', name: 'engine', serverUrl: 'https://forge.example' }],
  ['/srv/git/ada/engine.git', { owner: 'ada', name: 'engine' }],
  ['file:///srv/git/ada/engine.git', { owner: 'ada', name: 'engine' }],
  ['/srv/$(x)/a b\n.git', { owner: 'x', name: 'a-b' }],
  ['/srv/../...git', { owner: 'local', name: 'repository' }],
  ['engine', undefined],
  ['', undefined],
])('reads the remote %j', (remote, expected) => {
  expect(readRemote(remote)).toEqual(expected);
});
