import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { unpackTar } from '@forgejo-runner/kit';
import {
  callContext,
  eventually,
  type GitServer,
  openTempFolder,
  startGitServer,
  type TempFolder,
} from '@forgejo-runner/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type ActionStore, openActionStore } from '../../src/steps/actions/action-store.ts';
import { systemGit } from '../../src/steps/actions/git.ts';

const never = new AbortController().signal;
const hourMs = 3_600_000;

let folder: TempFolder;
let server: GitServer;
let store: ActionStore;

function openStore(env: NodeJS.ProcessEnv = process.env): ActionStore {
  return openActionStore({ folder: folder.path, git: systemGit(env), log: callContext().log, retryMs: 1 });
}

function at(ref: string, repository = 'a/b') {
  return { url: `${server.url}/${repository}`, origin: server.url, ref };
}

async function open(ref: string, logins: Parameters<ActionStore['open']>[1] = [], from = store) {
  return from.open(at(ref), logins, never);
}

async function text(ref: string, file = 'action.yml'): Promise<string | undefined> {
  const files = await (await open(ref)).readFiles([file], never);
  return files.get(file)?.toString();
}

async function texts(refs: readonly string[] = []): Promise<(readonly [ref: string, content: string | undefined])[]> {
  const found: (readonly [string, string | undefined])[] = [];
  for (const ref of refs) found.push([ref, await text(ref)]);
  return found;
}

function source(name: string): string {
  return JSON.stringify(new URL(`../../src/steps/actions/${name}.ts`, import.meta.url).href);
}

function fetches(): number {
  // Each fetch that gets objects asks twice: for references, then for the pack.
  return server.requests.filter(({ service }) => service === 'upload-pack').length;
}

beforeEach(async () => {
  folder = await openTempFolder();
  server = await startGitServer();
  store = openStore();
});

afterEach(async () => {
  await server[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

describe('what a reference finds', () => {
  it('finds tags, annotated tags, branches, references by their full name, full and short ids', async () => {
    const sha = await server.commit(
      'a/b',
      { 'action.yml': 'one' },
      { refs: ['refs/heads/main', 'refs/tags/v1'], annotated: 'v1.0' },
    );
    await server.commit(
      'a/b',
      { 'action.yml': 'two' },
      { refs: ['refs/heads/main', 'refs/heads/feature/x', 'refs/pull/1/head'] },
    );
    const [one, two] = [
      ['v1', 'v1.0', sha, sha.toUpperCase(), sha.slice(0, 7)],
      ['main', 'feature/x', 'refs/heads/main', 'refs/pull/1/head'],
    ];
    expect(await texts(one)).toEqual(one.map((ref) => [ref, 'one']));
    expect(await texts(two)).toEqual(two.map((ref) => [ref, 'two']));
  });

  it('prefers a tag to a branch of the same name, and both to a short id', async () => {
    await server.commit('a/b', { 'action.yml': 'tag' }, { refs: ['refs/heads/main', 'refs/tags/same'] });
    const sha = await server.commit(
      'a/b',
      { 'action.yml': 'branch' },
      { refs: ['refs/heads/main', 'refs/heads/same'] },
    );
    expect(await text('same')).toBe('tag');
    await server.commit('a/b', { 'action.yml': 'named' }, { refs: [`refs/heads/${sha.slice(0, 8)}`] });
    expect(await text(sha.slice(0, 8))).toBe('named');
  });

  it('finds short ids at a server that can leave out files', async () => {
    const sha = await server.commit('a/b', { 'action.yml': 'one' });
    await server.commit('a/b', { 'action.yml': 'two' });
    await server.git('a/b', 'config', 'uploadpack.allowFilter', 'true');
    expect(await text(sha.slice(0, 9))).toBe('one');
  });

  it('finds a commit that no reference points at', async () => {
    const sha = await server.commit('a/b', { 'action.yml': 'old' });
    await server.commit('a/b', { 'action.yml': 'new' });
    expect(await text(sha)).toBe('old');
  });

  it('finds commits of repositories with SHA-256', async () => {
    await server.git('a/b', 'init', '--quiet', '--bare', '-b', 'main', '--object-format=sha256');
    const sha = await server.commit('a/b', { 'action.yml': 'long' });
    expect(sha).toHaveLength(64);
    const refs = ['main', sha, sha.slice(0, 10)];
    expect(await texts(refs)).toEqual(refs.map((ref) => [ref, 'long']));
  });

  it('notices branches and tags that moved', async () => {
    await server.commit('a/b', { 'action.yml': 'one' }, { refs: ['refs/heads/main', 'refs/tags/v1'] });
    expect([await text('main'), await text('v1')]).toEqual(['one', 'one']);
    await server.commit('a/b', { 'action.yml': 'two' }, { refs: ['refs/heads/main', 'refs/tags/v1'] });
    expect([await text('main'), await text('v1')]).toEqual(['two', 'two']);
  });

  it('needs no network for a full id that is there', async () => {
    const sha = await server.commit('a/b', { 'action.yml': 'here' });
    await open(sha);
    await server[Symbol.asyncDispose]();
    expect(await text(sha)).toBe('here');
  });

  it('hands out files as they are in the commit, with modes and links', async () => {
    await server.commit(
      'a/b',
      {
        'action.yml': 'x',
        'run.sh': '#!/bin/sh\n',
        'dist/index.js': '$Format:%H$',
        '.gitattributes': 'dist export-ignore\n*.js export-subst\n',
      },
      { executable: ['run.sh'] },
    );
    const repository = await open('main');
    await unpackTar({ dest: folder.join('out'), tar: repository.archive('', never) }, never);
    expect(await readFile(folder.join('out', 'dist', 'index.js'), 'utf8')).toBe('$Format:%H$');
    expect((await stat(folder.join('out', 'run.sh'))).mode & 0o777).toBe(0o755);
    expect((await stat(folder.join('out', 'action.yml'))).mode & 0o777).toBe(0o644);
    await unpackTar({ dest: folder.join('dist'), tar: repository.archive('dist', never) }, never);
    expect(await readdir(folder.join('dist'))).toEqual(['index.js']);
  });

  it('reads only files that are there and small', async () => {
    await server.commit('a/b', { 'a/action.yml': 'x', big: 'x'.repeat(2_000_000) });
    const files = await (await open('main')).readFiles(['a/action.yml', 'a', 'big', 'none', '../x'], never);
    expect([...files.keys()]).toEqual(['a/action.yml']);
  });
});

describe('failures', () => {
  it.each([
    ['nothing', 'v9', { failure: 'no-ref' }],
    ['a short id of nothing', 'abcdef12', { failure: 'no-ref' }],
    ['a full id of nothing', 'a'.repeat(40), { failure: 'no-ref' }],
  ])('says that a repository has %s', async (_what, ref, expected) => {
    await server.commit('a/b', { 'action.yml': 'x' });
    await expect(open(ref)).rejects.toMatchObject(expected);
    expect(await readdir(folder.join('tmp')).catch(() => [])).toEqual([]);
  });

  it('says that there is no such repository', async () => {
    await expect(store.open(at('v1', 'no/such'), [], never)).rejects.toMatchObject({ failure: 'no-repository' });
  });

  it('says that there is no git', async () => {
    await expect(open('v1', [], openStore({ PATH: folder.path }))).rejects.toMatchObject({ failure: 'no-git' });
  });

  it('tries again when the network fails, and gives up after three times', async () => {
    let left = 2;
    await using flaky = await startGitServer({ fault: () => (left-- > 0 ? 503 : undefined) });
    await flaky.commit('a/b', { 'action.yml': 'x' });
    const remote = { url: `${flaky.url}/a/b`, origin: flaky.url, ref: 'main' };
    expect((await store.open(remote, [], never)).sha).toHaveLength(40);
    left = 1000;
    const before = flaky.requests.length;
    await expect(store.open({ ...remote, ref: 'other' }, [], never)).rejects.toMatchObject({ failure: 'network' });
    expect(flaky.requests.length - before).toBe(3);
  });

  it('stops when it is told to, and says when it took too long', async () => {
    await using silent = await startGitServer({ fault: () => 'hang' });
    const remote = { url: `${silent.url}/a/b`, origin: silent.url, ref: 'main' };
    const abort = new AbortController();
    const opening = store.open(remote, [], abort.signal);
    await eventually(() => silent.requests.length > 0);
    // Another one waits for the same repository.
    const waiting = store.open(remote, [], abort.signal);
    abort.abort(new Error('enough'));
    const ended = await Promise.allSettled([opening, waiting]);
    expect(ended.map((one) => one.status === 'rejected' && String(one.reason))).toEqual([
      'Error: enough',
      'Error: enough',
    ]);
    const hasty = openActionStore({
      folder: folder.path,
      git: systemGit(process.env),
      log: callContext().log,
      timeoutMs: 50,
    });
    await expect(hasty.open(remote, [], never)).rejects.toMatchObject({ failure: 'timeout' });
  });

  it('ignores what the user of this machine configured', async () => {
    await server.commit('a/b', { 'action.yml': 'x' });
    await folder.write({
      '.gitconfig': `[url "http://127.0.0.1:1/"]\n  insteadOf = ${server.url}\n[core]\n  hooksPath = ${folder.path}`,
    });
    const env = {
      ...process.env,
      HOME: folder.path,
      GIT_CONFIG_GLOBAL: folder.join('.gitconfig'),
      GIT_DIR: '/nowhere',
    };
    expect((await open('main', [], openStore(env))).sha).toHaveLength(40);
  });
});

describe('private repositories', () => {
  const login = { username: 'token', password: 'hunter2' };
  const basic = `Basic ${Buffer.from('token:hunter2').toString('base64')}`;
  let guarded: GitServer;

  beforeEach(async () => {
    guarded = await startGitServer({ authorize: (_, authorization) => (authorization === basic ? undefined : 401) });
  });

  afterEach(() => guarded[Symbol.asyncDispose]());

  it('are read with the login, which no command line shows, and by nobody else', async () => {
    const sha = await guarded.commit('a/b', { 'action.yml': 'secret' });
    const remote = { url: `${guarded.url}/a/b`, origin: guarded.url, ref: 'main' };
    await expect(store.open(remote, [], never)).rejects.toMatchObject({ failure: 'auth' });
    await expect(store.open(remote, [{ ...login, password: 'wrong' }], never)).rejects.toMatchObject({
      failure: 'auth',
    });
    expect((await store.open(remote, [login], never)).sha).toBe(sha);
    // It is in the store now, which is no way around the server's answer.
    for (const ref of ['main', sha, sha.slice(0, 8)]) {
      await expect(store.open({ ...remote, ref }, [], never)).rejects.toMatchObject({ failure: 'auth' });
      expect((await store.open({ ...remote, ref }, [login], never)).sha).toBe(sha);
    }
  });

  it('gives the login to nobody but its server', async () => {
    await guarded.commit('a/b', { 'action.yml': 'x' });
    await store.open({ url: `${guarded.url}/a/b`, origin: guarded.url, ref: 'main' }, [login], never);
    await server.commit('a/b', { 'action.yml': 'x' });
    await store.open({ ...at('main'), origin: guarded.url }, [login], never);
    expect(server.requests.filter(({ authorization }) => authorization !== undefined)).toEqual([]);
  });

  it('gives the login to nobody whom its server sends git to', async () => {
    await server.commit('a/b', { 'action.yml': 'x' });
    const sender = createServer((request, response) => {
      const isAsked = request.headers.authorization === undefined;
      if (isAsked) response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end();
      else response.writeHead(302, { location: `${server.url}${request.url ?? ''}` }).end();
    });
    await once(sender.listen(0, '127.0.0.1'), 'listening');
    const origin = `http://127.0.0.1:${(sender.address() as AddressInfo).port}`;
    try {
      await expect(store.open({ url: `${origin}/a/b`, origin, ref: 'main' }, [login], never)).rejects.toThrow(
        'returned error: 302',
      );
    } finally {
      sender.close();
    }
    expect(server.requests).toEqual([]);
  });

  it('never puts the login on a command line', async () => {
    const argv: string[] = [];
    const git = systemGit(process.env);
    const spying = openActionStore({
      folder: folder.join('spied'),
      git: {
        ...git,
        run: async (args, call, signal) => {
          argv.push(...args);
          return git.run(args, call, signal);
        },
      },
      log: callContext().log,
    });
    await guarded.commit('a/b', { 'action.yml': 'x' });
    await spying.open({ url: `${guarded.url}/a/b`, origin: guarded.url, ref: 'main' }, [login], never);
    expect(argv).toContain('fetch');
    expect(argv.join(' ')).not.toMatch(/hunter2|Authorization/);
  });
});

describe('one store for many', () => {
  it('clones once for jobs that come at the same time', async () => {
    await server.commit('a/b', { 'action.yml': 'x' });
    const alone = openActionStore({
      folder: folder.join('alone'),
      git: systemGit(process.env),
      log: callContext().log,
    });
    await open('main', [], alone);
    const once = fetches();
    const lookUps = 5; // each of them asks where the branch stands
    const found = await Promise.all(
      [store, store, store, openStore(), openStore()].map((one) => open('main', [], one)),
    );
    expect(new Set(found.map(({ id }) => id)).size).toBe(1);
    expect(fetches() - once).toBe(once + lookUps - 1);
  });

  it('is usable after a process was killed in the middle of a clone', async () => {
    let isSlow = true;
    await using slow = await startGitServer({
      fault: ({ service }) =>
        isSlow && service === 'upload-pack' && slow.requests.filter((r) => r.service === service).length > 1
          ? 'hang'
          : undefined,
    });
    await slow.commit('a/b', { 'action.yml': 'x' });
    const remote = { url: `${slow.url}/a/b`, origin: slow.url, ref: 'main' };
    const script = `
      import { openActionStore } from ${source('action-store')};
      import { systemGit } from ${source('git')};
      const log = { debug() {}, info() {}, warn() {}, error() {} };
      const store = openActionStore({ folder: ${JSON.stringify(folder.path)}, git: systemGit(process.env), log });
      await store.open(${JSON.stringify(remote)}, [], new AbortController().signal);`;
    const child = spawn(
      process.execPath,
      ['--conditions=@forgejo-runner/source', '--input-type=module', '-e', script],
      {
        cwd: new URL('../..', import.meta.url),
        stdio: 'inherit',
      },
    );
    await eventually(() => slow.requests.filter(({ service }) => service === 'upload-pack').length > 1, {
      timeoutMs: 30_000,
    });
    // The other process holds the lock.
    const abort = new AbortController();
    const waiting = store.open(remote, [], abort.signal);
    child.kill('SIGKILL');
    await once(child, 'close');
    isSlow = false;
    expect((await waiting).sha).toHaveLength(40);
    expect(await text2(store, remote)).toBe('x');
    expect(await readdir(folder.join('tmp'))).not.toEqual([]);
    const report = await store.prune({ maxAgeMs: 24 * hourMs, maxBytes: 1e9, now: Date.now() + 2 * hourMs }, never);
    expect(report.removed).toBe(0);
    expect(await readdir(folder.join('tmp'))).toEqual([]);
  });

  async function text2(from: ActionStore, remote: Parameters<ActionStore['open']>[0]) {
    return (await (await from.open(remote, [], never)).readFiles(['action.yml'], never)).get('action.yml')?.toString();
  }

  it('fetches again what is damaged', async () => {
    const sha = await server.commit('a/b', { 'action.yml': 'whole' });
    await open(sha);
    const [key = ''] = await readdir(folder.join('repositories'));
    const objects = folder.join('repositories', key, sha, 'git', 'objects');
    await rm(objects, { recursive: true });
    expect(await text(sha)).toBe('whole');
  });
});

describe('pruning', () => {
  it('removes what is old, then the least recently used of what is too much, and nothing that may be in use', async () => {
    const shas: string[] = [];
    for (const name of ['old', 'older', 'new']) {
      shas.push(await server.commit('a/b', { 'action.yml': name }));
      await open('main');
    }
    const [old = '', older = '', fresh = ''] = shas;
    const [key = ''] = await readdir(folder.join('repositories'));
    const home = folder.join('repositories', key);
    const age = async (sha: string, hours: number) => {
      const then = new Date(Date.now() - hours * hourMs);
      await utimes(`${home}/${sha}/used`, then, then);
    };
    await age(old, 30);
    await age(older, 50);
    const present = async () => (await readdir(home)).filter((name) => shas.includes(name)).toSorted();
    expect(await store.prune({ maxAgeMs: 40 * hourMs, maxBytes: 1e9 }, never)).toMatchObject({ removed: 1 });
    expect(await present()).toEqual([old, fresh].toSorted());
    const report = await store.prune({ maxAgeMs: 40 * hourMs, maxBytes: 1 }, never);
    expect(await present()).toEqual([fresh]);
    expect(report.removed).toBe(1);
    expect(report.keptBytes).toBeGreaterThan(100);
    expect(await text('main')).toBe('new');
  });

  it('does not mind a store that is not there', async () => {
    expect(await store.prune({ maxAgeMs: 1, maxBytes: 1 }, never)).toEqual({ removed: 0, keptBytes: 0 });
  });
});
