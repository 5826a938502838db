import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, readlink, rm, stat, symlink, utimes } from 'node:fs/promises';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
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
import type { Git } from '../../src/steps/actions/git.ts';
import { gitCommands } from '../../src/steps/actions/git-command.ts';
import { GitError } from '../../src/steps/actions/git-error.ts';
import { libraryGit } from '../../src/steps/actions/library-git.ts';
import { systemGit } from '../../src/steps/actions/system-git.ts';

const never = new AbortController().signal;
const hourMs = 3_600_000;

/** Both have to do all of it, and each other's repositories. */
const kinds = { 'the git of the system': systemGit, 'the git library': libraryGit };

let folder: TempFolder;
let server: GitServer;
let store: ActionStore;
let makeGit: (env: NodeJS.ProcessEnv) => Git;

function openStore(env: NodeJS.ProcessEnv = process.env): ActionStore {
  return openActionStore({ folder: folder.path, git: makeGit(env), log: callContext().log, retryMs: 1 });
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

async function openHttp(answer: (request: IncomingMessage, response: ServerResponse) => Promise<void> | void) {
  const listening = createServer((request, response) => void answer(request, response));
  await once(listening.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(listening.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      listening.closeAllConnections();
      listening.close();
    },
  };
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
});

afterEach(async () => {
  await server[Symbol.asyncDispose]();
  await folder[Symbol.asyncDispose]();
});

describe.each(Object.entries(kinds))('by %s', (_, make) => {
  beforeEach(() => {
    makeGit = make;
    store = openStore();
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
        git: makeGit(process.env),
        log: callContext().log,
        timeoutMs: 50,
      });
      await expect(hasty.open(remote, [], never)).rejects.toMatchObject({ failure: 'timeout' });
    });

    it('goes where its server sends it, when it has no login', async () => {
      await server.commit('a/b', { 'action.yml': 'moved' });
      await using sender = await openHttp((request, response) => {
        response.writeHead(301, { location: `${server.url}${(request.url ?? '').replace('/old/', '/a/')}` }).end();
      });
      const repository = await store.open({ url: `${sender.url}/old/b`, origin: sender.url, ref: 'main' }, [], never);
      expect((await repository.readFiles(['action.yml'], never)).get('action.yml')?.toString()).toBe('moved');
    });

    it.each([
      ['nothing', ''],
      ['a page', '<html>'],
      ['broken lines', 'zzzz'],
      ['a line that ends early', '00ffabc'],
      ['a service and no more', '001e# service=git-upload-pack\n0000'],
      ['a service and a broken line', '001e# service=git-upload-pack\n0000000eversion 2\n0003'],
      ['one reference without an id', '001e# service=git-upload-pack\n0000000fx refs/heads\u00000000'],
    ])('fails when a server answers with %s', async (_what, body) => {
      await using odd = await openHttp((request, response) => {
        const kind = request.method === 'POST' ? 'result' : 'advertisement';
        response.writeHead(200, { 'content-type': `application/x-git-upload-pack-${kind}` }).end(body);
      });
      const remote = { url: `${odd.url}/a/b`, origin: odd.url };
      for (const ref of ['main', 'a'.repeat(40), 'abcdef1'])
        await expect(store.open({ ...remote, ref }, [], never)).rejects.toBeInstanceOf(GitError);
    });

    it('fails when the pack is garbage or ends early', async () => {
      const sha = await server.commit('a/b', { 'action.yml': 'x', more: 'y'.repeat(5000) });
      for (const damage of [
        (body: Buffer) => body.toString('latin1', 0, body.length - 30),
        () => '0008NAK\nrubbish',
        () => '0008NAK\n0009\x01PACK0000',
        () => '000dERR gone\n',
        () => '',
      ]) {
        await using odd = await openHttp(async (request, response) => {
          const given = await forwarded(request);
          const answered = given.isPack ? Buffer.from(damage(given.body), 'latin1') : given.body;
          response.writeHead(200, { 'content-type': given.type }).end(answered);
        });
        const remote = { url: `${odd.url}/a/b`, origin: odd.url, ref: sha };
        await expect(store.open(remote, [], never)).rejects.toBeInstanceOf(GitError);
      }
      expect(await readdir(folder.join('tmp'))).toEqual([]);
    });

    /** What the real server answers. */
    async function forwarded(request: IncomingMessage) {
      const body = Buffer.concat(await Array.fromAsync(request as AsyncIterable<Buffer>));
      const { 'git-protocol': protocol, 'content-type': sent } = request.headers;
      const answer = await fetch(`${server.url}${request.url}`, {
        method: request.method ?? 'GET',
        headers: {
          ...(protocol === undefined ? {} : { 'git-protocol': String(protocol) }),
          ...(sent === undefined ? {} : { 'content-type': sent }),
          ...(request.headers['content-encoding'] === undefined ? {} : { 'content-encoding': 'gzip' }),
        },
        ...(request.method === 'POST' ? { body } : {}),
      });
      const given = Buffer.from(await answer.arrayBuffer());
      return { body: given, isPack: given.includes('PACK'), type: answer.headers.get('content-type') ?? '' };
    }

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
  });

  describe('one store for many', () => {
    it('clones once for jobs that come at the same time', async () => {
      await server.commit('a/b', { 'action.yml': 'x' });
      const alone = openActionStore({
        folder: folder.join('alone'),
        git: makeGit(process.env),
        log: callContext().log,
      });
      await open('main', [], alone);
      const once = fetches();
      await open('main', [], alone);
      const lookUp = fetches() - once;
      const before = fetches();
      const found = await Promise.all(
        [store, store, store, openStore(), openStore()].map((one) => open('main', [], one)),
      );
      expect(new Set(found.map(({ id }) => id)).size).toBe(1);
      // Each of the five asks where the branch stands.
      expect(fetches() - before).toBe(once + 4 * lookUp);
    });

    it('is usable after a process was killed in the middle of a clone', async () => {
      let isSlow = true;
      await using slow = await startGitServer({
        fault: ({ service }) =>
          isSlow && service === 'upload-pack' && slow.requests.filter((r) => r.service === service).length > 1
            ? 'hang'
            : undefined,
      });
      await slow.commit('a/b', { 'action.yml': 'x' }, { refs: ['refs/heads/main', 'refs/tags/v1'] });
      const remote = { url: `${slow.url}/a/b`, origin: slow.url, ref: 'v1' };
      const script = `
      import { openActionStore } from ${source('action-store')};
      import { ${make.name} } from ${source(make === systemGit ? 'system-git' : 'library-git')};
      const log = { debug() {}, info() {}, warn() {}, error() {} };
      const store = openActionStore({ folder: ${JSON.stringify(folder.path)}, git: ${make.name}(process.env), log });
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
      return (await (await from.open(remote, [], never)).readFiles(['action.yml'], never))
        .get('action.yml')
        ?.toString();
    }

    it('fails when files of a commit are gone while it is read', async () => {
      const sha = await server.commit('a/b', { 'action.yml': 'x' });
      const repository = await open(sha);
      const [key = ''] = await readdir(folder.join('repositories'));
      await rm(folder.join('repositories', key, sha, 'git', 'objects'), { recursive: true });
      const reading = Array.fromAsync(repository.archive('', never));
      await expect(reading).rejects.toMatchObject({ name: 'GitError', failure: 'other' });
    });

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
      expect(await store.prune({ maxAgeMs: 1, maxBytes: 1 }, never)).toEqual({
        removed: 0,
        freedBytes: 0,
        keptBytes: 0,
      });
    });
  });
});

describe('the git of the system', () => {
  beforeEach(() => {
    makeGit = systemGit;
    store = openStore();
  });

  it('finds commits of repositories with SHA-256', async () => {
    await server.git('a/b', 'init', '--quiet', '--bare', '-b', 'main', '--object-format=sha256');
    const sha = await server.commit('a/b', { 'action.yml': 'long' });
    expect(sha).toHaveLength(64);
    const refs = ['main', sha, sha.slice(0, 10)];
    expect(await texts(refs)).toEqual(refs.map((ref) => [ref, 'long']));
  });

  it('finds tags of a repository without its default branch', async () => {
    await server.commit('a/b', { 'action.yml': 'x' }, { refs: ['refs/tags/v1'] });
    expect(await text('v1')).toBe('x');
  });

  it('says that there is no git', async () => {
    await expect(open('v1', [], openStore({ PATH: folder.path }))).rejects.toMatchObject({ failure: 'no-git' });
  });

  it('never gets the login by its command line', async () => {
    const argv: string[] = [];
    const commands = gitCommands(process.env);
    const spied = systemGit(process.env, {
      ...commands,
      run: async (args, call, signal) => {
        argv.push(...args);
        return commands.run(args, call, signal);
      },
    });
    await server.commit('a/b', { 'action.yml': 'x' });
    const spying = openActionStore({ folder: folder.join('spied'), git: spied, log: callContext().log });
    await spying.open(at('main'), [{ username: 'token', password: 'hunter2' }], never);
    expect(argv).toContain('fetch');
    expect(argv.join(' ')).not.toMatch(/hunter2|Authorization/);
  });
});

describe('the git library', () => {
  beforeEach(() => {
    makeGit = libraryGit;
    store = openStore();
  });

  it('says that repositories with SHA-256 need git', async () => {
    await server.git('a/b', 'init', '--quiet', '--bare', '-b', 'main', '--object-format=sha256');
    const sha = await server.commit('a/b', { 'action.yml': 'long' });
    for (const ref of ['main', sha]) await expect(open(ref)).rejects.toMatchObject({ failure: 'no-git' });
  });

  it('says that repositories without their default branch need git', async () => {
    await server.commit('a/b', { 'action.yml': 'x' }, { refs: ['refs/tags/v1'] });
    await expect(open('v1')).rejects.toMatchObject({ failure: 'no-git' });
  });
});

describe('two implementations, one store', () => {
  it.each([
    [systemGit, libraryGit],
    [libraryGit, systemGit],
  ])('%o fetches what %o reads', async (first, second) => {
    const sha = await server.commit(
      'a/b',
      { 'action.yml': 'x', 'dist/run.sh': 'run' },
      { executable: ['dist/run.sh'], annotated: 'v1' },
    );
    makeGit = first;
    await open('v1', [], openStore());
    await server[Symbol.asyncDispose]();
    makeGit = second;
    const { archive, readFiles } = await open(sha, [], openStore());
    expect((await readFiles(['action.yml'], never)).get('action.yml')?.toString()).toBe('x');
    await unpackTar({ dest: folder.join('out'), tar: archive('dist', never) }, never);
    expect((await stat(folder.join('out', 'run.sh'))).mode & 0o777).toBe(0o755);
  });

  it('hand out the same files, links and folders', async () => {
    await server.commit('a/b', {
      [`deep/${'long-'.repeat(40)}/x`]: 'far',
      'a/b/c.yml': 'linked',
      big: 'x'.repeat(300_000),
    });
    await addLinks();
    const listings: string[][] = [];
    const read: (readonly [string, string])[][] = [];
    for (const make of Object.values(kinds)) {
      makeGit = make;
      const repository = await open('main', [], openStore());
      const dest = folder.join(`out-${make.name}`);
      await unpackTar({ dest, tar: repository.archive('', never) }, never);
      listings.push((await readdir(dest, { recursive: true })).toSorted());
      expect(await readlink(`${dest}/link`)).toBe('a/b');
      expect((await stat(`${dest}/big`)).size).toBe(300_000);
      const files = await repository.readFiles(['link/c.yml', 'up/b/c.yml', 'out', 'loop', 'a/b', 'absolute'], never);
      read.push([...files].map(([name, content]) => [name, content.toString()] as const));
    }
    expect(listings[0]).toEqual(listings[1]);
    expect(read).toEqual(
      kindsOf([
        ['link/c.yml', 'linked'],
        ['up/b/c.yml', 'linked'],
      ]),
    );
  });

  function kindsOf<T>(each: T): T[] {
    return Object.keys(kinds).map(() => each);
  }

  async function addLinks(): Promise<void> {
    const work = folder.join('links');
    await mkdir(work);
    const links = { link: 'a/b', up: 'link/..', out: '../../etc/passwd', loop: 'loop', absolute: '/etc/passwd' };
    for (const [name, target] of Object.entries(links)) await symlink(target, `${work}/${name}`);
    const at = ['--work-tree', work];
    await server.git('a/b', 'read-tree', 'main');
    await server.git('a/b', ...at, 'add', ...Object.keys(links));
    const tree = await server.git('a/b', 'write-tree');
    const sha = await server.git('a/b', 'commit-tree', tree, '-m', 'links');
    await server.git('a/b', 'update-ref', 'refs/heads/main', sha);
  }
});
