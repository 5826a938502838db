import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { access, lstat, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type CallContext, type ExecutionEnvironment, isBackendError, type Target } from '@forgejo-runner/core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { callContext, type Lxc, openLxc, processesWith, sh, whyNoLxc } from './lxc-fixture.ts';

type Environment = ExecutionEnvironment & { readonly target: Target };

let storage = '';
let lxc: Lxc;
const made: Environment[] = [];

async function create(...given: Parameters<Lxc['create']>): Promise<Environment> {
  const environment = await lxc.create(...given);
  made.push(environment);
  return environment;
}

describe.skipIf(whyNoLxc !== undefined)(`environments of LXC${whyNoLxc === undefined ? '' : `: ${whyNoLxc}`}`, () => {
  beforeAll(async () => {
    storage = await mkdtemp(path.join(tmpdir(), 'lxc-'));
    lxc = await openLxc(storage);
  }, 600_000);
  afterAll(async () => {
    await lxc.backend[Symbol.asyncDispose]();
    await rm(storage, { recursive: true, force: true });
  });
  afterEach(async () => {
    for (const environment of made.splice(0)) await environment.remove(callContext());
  });

  describe.each([
    ['privileged', 'x:lxc://test'],
    ['unprivileged', 'x:lxc://test::unprivileged'],
  ])('%s', (_kind, label) => {
    it('makes a machine of its own, and leaves nothing of it', async () => {
      const environment = await create('own', {}, label);
      const { stdout } = await sh(environment, 'id -u; hostname; pwd; grep -q eth0 /proc/net/route && echo connected');
      expect(stdout.split('\n').slice(0, 3)).toEqual(['0', 'own', environment.info.paths.workspace]);
      expect(stdout.trim().split('\n').at(-1)).toBe('connected');
      expect((await environment.state(callContext())).alive).toBe(true);
      await sh(environment, '(setsid sleep 7011 </dev/null >/dev/null 2>&1 &)');
      expect(processesWith('sleep 7011')).toHaveLength(1);
      expect(await environment.remove(callContext())).toEqual({
        removed: [path.join(storage, 'jobs', 'own')],
        leaked: [],
      });
      expect(await environment.remove(callContext())).toEqual({ removed: [], leaked: [] });
      expect(await readdir(path.join(storage, 'jobs'))).toEqual([]);
      expect(processesWith('sleep 7011')).toEqual([]);
      expect(await environment.state(callContext())).toMatchObject({ alive: false, reason: 'stopped' });
      await expect(sh(environment, 'true')).rejects.toMatchObject({ code: 'lost' });
    });

    it('gives a process exactly its arguments and environment', async () => {
      const environment = await create('exact', {}, label);
      const argv = ['printf', '[%s]', '', 'a  b', '$(id)', "it's", 'line\nbreak', '-x', 'é'] as const;
      expect((await sh(environment, '', { argv })).stdout).toBe(
        argv
          .slice(2)
          .map((one) => `[${one}]`)
          .join(''),
      );
      const env = {
        'INPUT_GITHUB-TOKEN': 'a\nb',
        IFS: 'x',
        UID: '7',
        BIG: 'x'.repeat(120_000),
        EMPTY: '',
        container: 'mine',
        PATH: '/usr/bin',
      };
      const { stdout } = await sh(environment, '', { argv: ['env', '-0'], env });
      const seen = Object.fromEntries(
        stdout
          .split('\0')
          .filter((line) => line !== '')
          .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
      );
      expect(Object.fromEntries(Object.entries(seen).filter(([name]) => !name.startsWith('FJR_')))).toEqual(env);
    });

    it('keeps modes, symlinks and odd names of files both ways', async () => {
      const environment = await create('files', {}, label);
      const { workspace } = environment.info.paths;
      const long = `deep/${'n'.repeat(120)}/${'m'.repeat(120)}`;
      await sh(
        environment,
        `mkdir -p 'a/${long}' 'a/empty' && printf x > 'a/sp ace é' && chmod 755 'a/sp ace é' && ln -s ../nowhere a/link && echo deep > 'a/${long}/f'`,
      );
      await environment.target.copyIn(
        { dest: `${workspace}/b/c`, tar: environment.target.copyOut({ src: `${workspace}/a` }, callContext()) },
        callContext(),
      );
      const { stdout } = await sh(
        environment,
        'cd b/c/a && stat -c "%n %a" "sp ace é" && readlink link && find . -type f | wc -l && diff -r --no-dereference ../../../a . && echo same',
      );
      expect(stdout).toBe('sp ace é 755\n../nowhere\n2\nsame\n');
    });
  });

  it('tells how a process ended', async () => {
    const environment = await create('ends');
    expect((await sh(environment, 'exit 7')).result).toEqual({ kind: 'exited', code: 7 });
    expect((await sh(environment, 'kill -KILL $$')).result).toEqual({ kind: 'exited', code: 137 });
    const missing = await sh(environment, '', { argv: ['no-such-program'] });
    expect([missing.result, missing.stdout, missing.stderr]).toEqual([
      { kind: 'exited', code: 127 },
      '',
      'no-such-program: No such file or directory\n',
    ]);
    expect((await sh(environment, '', { argv: ['/etc/passwd'] })).result).toEqual({ kind: 'exited', code: 126 });
    await expect(sh(environment, 'true', { cwd: '/nowhere' })).rejects.toMatchObject({
      code: 'plan',
      message: 'expected the folder "/nowhere" to run in, found none',
    });
    // Only the launcher's own word means that.
    expect((await sh(environment, 'echo no >&2; exit 125')).stderr).toBe('no\n');
  });

  it('loads nothing of a job on the machine', async () => {
    const environment = await create('loader');
    const marker = path.join(storage, 'loaded');
    const { stderr } = await sh(environment, 'true', {
      env: { ...environment.target.baseEnv, LD_PRELOAD: marker, LD_DEBUG: 'all', LD_DEBUG_OUTPUT: marker },
    });
    expect(stderr).toContain(marker);
    // The loader of lxc-attach would have written there.
    expect((await readdir(storage)).filter((name) => name.startsWith('loaded'))).toEqual([]);
  });

  it('runs as another user', async () => {
    const environment = await create('users');
    expect((await sh(environment, 'id -u; id -g', { user: 'nobody', cwd: '/' })).stdout).toBe('65534\n65534\n');
    expect((await sh(environment, 'id -u; id -g', { user: '1234:5', cwd: '/' })).stdout).toBe('1234\n5\n');
    await expect(sh(environment, 'true', { user: 'nobody-else' })).rejects.toMatchObject({ code: 'plan' });
  });

  it('takes input and keeps output apart', async () => {
    const environment = await create('streams');
    const parts = Array.from({ length: 64 }, (_, index) => Buffer.alloc(65_536, index));
    const run = await sh(environment, 'wc -c; echo err >&2', { stdin: stream(parts) });
    expect([run.stdout.trim(), run.stderr]).toEqual([String(64 * 65_536), 'err\n']);
  });

  it('ends a whole tree and goes on', async () => {
    const environment = await create('stops');
    const stopping = new AbortController();
    const script = `trap '' TERM; (setsid sh -c "trap '' TERM; sleep 7012" </dev/null >/dev/null 2>&1 &); echo started; sleep 7013`;
    const running = sh(environment, script, { signal: stopping.signal });
    await expect.poll(() => processesWith('sleep 701').length, { timeout: 20_000 }).toBeGreaterThanOrEqual(2);
    stopping.abort();
    expect((await running).result).toEqual({ kind: 'stopped', survivors: 0 });
    expect(processesWith('sleep 7012').concat(processesWith('sleep 7013'))).toEqual([]);
    expect((await sh(environment, 'echo on')).stdout).toBe('on\n');
  });

  it('hands signals to the process', async () => {
    const environment = await create('signals');
    let seen = '';
    const handle = environment.target.exec(
      {
        argv: ['sh', '-c', 'trap "echo got; exit 7" INT; echo ready; while :; do sleep 0.05; done'],
        env: environment.target.baseEnv,
        cwd: '/',
        stdout: (chunk) => void (seen += Buffer.from(chunk).toString()),
        stderr: () => {},
      },
      callContext(),
    );
    await expect.poll(() => seen, { timeout: 20_000 }).toBe('ready\n');
    await handle.signal?.('SIGINT');
    expect([await handle.result, seen]).toEqual([{ kind: 'exited', code: 7 }, 'ready\ngot\n']);
  });

  it('says that a process is lost when its container ends', async () => {
    const environment = await create('lost');
    const running = sh(environment, 'sleep 7014');
    running.catch(() => {});
    await expect.poll(() => processesWith('sleep 7014').length, { timeout: 20_000 }).toBeGreaterThan(0);
    execFileSync('lxc-stop', ['-P', path.join(storage, 'jobs'), '-n', 'lost', '-k']);
    await expect(running).rejects.toMatchObject({ code: 'lost' });
    expect(await environment.state(callContext())).toMatchObject({ alive: false, reason: 'stopped' });
  });

  it('refuses archives that climb, and says what is missing', async () => {
    const environment = await create('hostile');
    const { target, info } = environment;
    const { workspace } = info.paths;
    const tar = Buffer.from(
      (await sh(environment, `mkdir d && echo x > d/f && tar -cf - --transform 's,^,../../,' d | base64 -w0`)).stdout,
      'base64',
    );
    await expect(target.copyIn({ dest: `${workspace}/in`, tar: stream([tar]) }, callContext())).rejects.toMatchObject({
      code: 'plan',
    });
    await expect(drain(target.copyOut({ src: '/no/such' }, callContext()))).rejects.toMatchObject({
      code: 'not_found',
    });
    await sh(environment, 'head -c 5000 /dev/zero > big');
    await expect(
      drain(target.copyOut({ src: `${workspace}/big`, maxBytes: 4999 }, callContext())),
    ).rejects.toMatchObject({ code: 'plan' });
    expect(await drain(target.copyOut({ src: `${workspace}/big`, maxBytes: 5000 }, callContext()))).toBeGreaterThan(
      5000,
    );
    for await (const _chunk of target.copyOut({ src: '/usr' }, callContext())) break;
    expect((await sh(environment, 'echo on')).stdout).toBe('on\n');
  });

  it('keeps owners where it is asked to', async () => {
    const environment = await create('owners');
    const folder = await mkdtemp(path.join(tmpdir(), 'lxc-owners-'));
    await sh(environment, 'echo x > f; chown 33:44 f');
    const tar = async (): Promise<Buffer> => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of environment.target.copyOut(
        { src: `${environment.info.paths.workspace}/f` },
        callContext(),
      ))
        chunks.push(chunk);
      return Buffer.concat(chunks);
    };
    const packed = await tar();
    await environment.target.copyIn({ dest: '/k', tar: stream([packed]), owner: 'keep' }, callContext());
    await environment.target.copyIn({ dest: '/t', tar: stream([packed]) }, callContext());
    expect((await sh(environment, 'stat -c %u:%g /k/f /t/f')).stdout).toBe('33:44\n0:0\n');
    await rm(folder, { recursive: true });
  });

  it('keeps what containers write apart, and the template as it is', async () => {
    const [first, second] = await Promise.all([create('one'), create('two')]);
    await sh(first, 'echo one > /etc/mine; rm -rf /usr/share/perl5');
    expect((await sh(second, 'cat /etc/mine 2>/dev/null; echo $?')).stdout).toBe('1\n');
    const addresses = await Promise.all(
      [first, second].map(async (one) => (await sh(one, "grep -B1 '32 host LOCAL' /proc/net/fib_trie")).stdout),
    );
    expect(new Set(addresses).size).toBe(2);
  });

  it('lets a container reach what listens at the address of the runner', async () => {
    const environment = await create('reaches');
    const { runnerAddress } = environment.info;
    expect(runnerAddress).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
    const server = createServer((_, response) => void response.end('of the cache'));
    server.listen(0, runnerAddress);
    await once(server, 'listening');
    // A server that listens at a port has such an address.
    const { port } = server.address() as AddressInfo;
    const script = 'fetch(process.argv[1]).then((r) => r.text()).then(console.log)';
    const argv = ['node', '-e', script, `http://${runnerAddress}:${port}/`] as const;
    expect((await sh(environment, '', { argv })).stdout).toBe('of the cache\n');
    server.close();
  });

  it('ends a container whose time is over, and says why', async () => {
    const environment = await create('expires', { expiresAt: Date.now() + 1500 });
    await expect.poll(async () => (await environment.state(callContext())).reason, { timeout: 30_000 }).toBe('expired');
    await expect
      .poll(
        () =>
          access(path.join(storage, 'jobs', 'expires')).then(
            () => true,
            () => false,
          ),
        { timeout: 30_000 },
      )
      .toBe(false);
  });

  it('says when memory was short', async () => {
    const environment = await create('oom', {}, 'x:lxc://test?memory=48');
    const { result } = await sh(environment, '', {
      argv: ['python3', '-c', 'x = bytearray(400 * 1024 * 1024); print(len(x))'],
    });
    expect(result).toMatchObject({ oomKilled: true });
    expect((await sh(environment, 'echo on')).stdout).toBe('on\n');
  });

  it('refuses a name that is taken', async () => {
    await create('taken');
    await expect(lxc.create('taken')).rejects.toMatchObject({ code: 'plan' });
  });

  it('leaves nothing when making is cancelled', async () => {
    const label = await lxc.backend.resolveLabel(
      { name: 'x', backend: 'lxc', options: { image: 'test' }, form: 'mapping' },
      callContext(),
    );
    for (const afterMs of [0, 5, 20, 60, 120]) {
      const ctx: CallContext = callContext(AbortSignal.timeout(afterMs));
      const outcome = await lxc.backend
        .createEnvironment(
          {
            name: 'cut',
            task: { id: '1', attempt: 1, repository: 'o/r', workflow: 'w', job: 'j' },
            owner: { runner: 'runner-1', boot: 'boot-1' },
            label,
            plan: { services: [], stepContainers: 'none' },
            expiresAt: Date.now() + 60_000,
          },
          ctx,
        )
        .then(
          (environment) => environment.remove(callContext()).then(() => 'made'),
          (error: unknown) => (isBackendError(error) ? error.code : error),
        );
      expect(outcome).toMatch(/^(?:made|cancelled)$/);
      expect(await readdir(path.join(storage, 'jobs'))).toEqual([]);
    }
  });

  it('starts no container when the template is not known, and says which are', async () => {
    await expect(lxc.create('never', {}, 'x:lxc://fedora:40')).rejects.toMatchObject({
      code: 'label',
      message: expect.stringContaining('expected a template (test, debian, ubuntu), found "fedora"') as string,
    });
  });

  it('makes a template once', async () => {
    const [key] = await readdir(path.join(storage, 'templates'));
    const made = (await readdir(path.join(storage, 'templates', key ?? ''))).filter((name) => name !== 'lock');
    expect(made).toHaveLength(1);
    await Promise.all(['p', 'q', 'r'].map((name) => create(name)));
    expect((await readdir(path.join(storage, 'templates', key ?? ''))).filter((name) => name !== 'lock')).toEqual(made);
    expect(
      JSON.parse(await readFile(path.join(storage, 'templates', key ?? '', made[0] ?? '', 'template.json'), 'utf8')),
    ).toMatchObject({ source: 'test' });
    expect((await lstat(path.join(storage, 'jobs', 'p'))).mode & 0o777).toBe(0o711);
  });
});

async function* stream(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks;
}

async function drain(chunks: AsyncIterable<Uint8Array>): Promise<number> {
  let length = 0;
  for await (const chunk of chunks) length += chunk.length;
  return length;
}
