import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type {
  Backend,
  BackendError,
  ExecRequest,
  ExecResult,
  ExecutionEnvironment,
  JobPlan,
  Owner,
  ResolvedLabel,
} from '@forgejo-runner/core';
import { parseLabel } from '@forgejo-runner/core';
import { packTar, unpackTar } from '@forgejo-runner/kit';
import { callContext, captureOutput, eventually, openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { factory } from '../src/index.ts';
import { ownerFile } from '../src/owner-file.ts';

/** Why this machine cannot make a sandbox. In CI that is a failure, elsewhere a reason to skip. */
function whyNot(): string | undefined {
  if (process.env['CI'] !== undefined) return undefined;
  const namespaces = ['--user', '--map-root-user', '--mount', '--pid', '--fork', '--mount-proc'];
  const tried = spawnSync('unshare', [...namespaces, 'true'], { encoding: 'utf8' });
  return tried.status === 0 ? undefined : `no sandbox here: ${tried.error?.message ?? tried.stderr.trim()}`;
}

const why = whyNot();

const owner: Owner = { runner: 'runner-of-the-test', boot: 'boot-one-of-the-test' };
let folder: TempFolder;
let backend: Backend;

async function openBackend(config: object): Promise<Backend> {
  const read = await factory.configSchema['~standard'].validate(config);
  if (read.issues !== undefined) throw new Error(JSON.stringify(read.issues));
  const input = { config: read.value, owner, stateDir: folder.path, apiVersion: '1.0.0', addMask: () => {} };
  return factory.create(input, callContext());
}

let count = 0;

async function create(
  label = 'test:chroot',
  name = `env-${(count += 1)}`,
  signal?: AbortSignal,
  expiresAt = Date.now() + 600_000,
): Promise<ExecutionEnvironment> {
  const resolved: ResolvedLabel = await backend.resolveLabel(parseLabel(label), callContext());
  const task = { id: '1', attempt: 1, repository: 'a/b', workflow: 'w', job: 'j' };
  const plan: JobPlan = { services: [], stepContainers: 'none' };
  return backend.createEnvironment({ name, task, owner, label: resolved, plan, expiresAt }, callContext(signal));
}

interface Ran {
  readonly result: ExecResult;
  readonly out: string;
  readonly err: string;
}

async function run(
  env: ExecutionEnvironment,
  argv: ExecRequest['argv'],
  more: Partial<ExecRequest> = {},
  signal?: AbortSignal,
): Promise<Ran> {
  const [out, err] = [captureOutput(), captureOutput()];
  const request = { argv, env: env.target!.baseEnv, cwd: '/workspace', stdout: out.sink, stderr: err.sink, ...more };
  const result = await env.target!.exec(request, callContext(signal)).result;
  return { result, out: out.text(), err: err.text() };
}

const sh = (script: string): ExecRequest['argv'] => ['/bin/sh', '-c', script];

describe.skipIf(why !== undefined)(`a sandbox of namespaces${why === undefined ? '' : ` (${why})`}`, () => {
  beforeAll(async () => {
    folder = await openTempFolder();
    execFileSync('chmod', ['711', folder.path]);
    backend = await openBackend({ workdir_parent: folder.path });
  });

  afterAll(async () => {
    await backend[Symbol.asyncDispose]();
    await folder[Symbol.asyncDispose]();
  });

  it('runs a process with exactly its environment, arguments and exit code', async () => {
    await using env = await create();
    const odd = { PATH: '/usr/bin:/bin', 'INPUT_A-B': 'x', '1': 'one', LINES: 'a\nb' };
    const listed = await run(env, ['env', '-0'], { env: odd });
    const found = Object.fromEntries(
      listed.out
        .split('\0')
        .filter(Boolean)
        .map((line) => line.split(/=(.*)/s).slice(0, 2)),
    );
    for (const name of Object.keys(found)) if (name.startsWith('FJR_')) delete found[name];
    expect(found).toEqual(odd);
    const argv = await run(env, ['printf', '[%s]', '', 'a b', '$HOME', '-n', '"\'\n']);
    expect(argv.out).toBe('[][a b][$HOME][-n]["\'\n]');
    expect((await run(env, sh('exit 37'))).result).toEqual({ kind: 'exited', code: 37 });
    expect((await run(env, ['no-such-program'])).result).toEqual({ kind: 'exited', code: 127 });
    expect((await run(env, ['cat'], { stdin: oneChunk('in and out') })).out).toBe('in and out');
    await expect(run(env, ['true'], { cwd: '/not/there' })).rejects.toMatchObject({
      code: 'plan',
      message: /not\/there/,
    });
  });

  it('shows a machine of its own: few processes, no home, no secrets of the machine', async () => {
    const secret = folder.join('secret-of-the-machine');
    await writeFile(secret, 'x', { mode: 0o644 });
    await using env = await create();
    const seen = await run(env, sh(`ps -A -o comm= | sort; ls -d ${secret} /root /etc/shadow; ls /`));
    expect(seen.out.split('\n')).not.toContain('node');
    expect(seen.err).toContain(secret);
    expect(seen.err).toContain('/etc/shadow');
    expect(seen.err).toContain('/root');
  });

  it('keeps the system read-only, also against a step that tries to change the mounts', async () => {
    await using env = await create();
    const mount = await run(env, sh('mount -o remount,bind,rw /usr; umount -l /usr; touch /usr/by-a-step'));
    expect(mount.result).not.toEqual({ kind: 'exited', code: 0 });
    expect(mount.err).toMatch(/Read-only file system/);
    await expect(stat('/usr/by-a-step')).rejects.toMatchObject({ code: 'ENOENT' });
    // What is under the proc of the steps is that of the sandbox, not that of the machine.
    const proc = await run(env, sh('umount /proc; cat /proc/[0-9]*/comm'));
    expect(proc.out).not.toMatch(/^node$/m);
  });

  it('does not let variables of a step reach the programs that enter the sandbox', async () => {
    await using env = await create();
    const preload = await run(env, ['env'], {
      env: { PATH: '/usr/bin:/bin', LD_DEBUG: 'files', LD_DEBUG_OUTPUT: '/workspace/loaded', PLAIN: '1' },
    });
    expect(preload.out).toMatch(/^PLAIN=1$/m);
    expect(preload.out).toMatch(/^LD_DEBUG=files$/m);
    const loaded = await run(env, sh('cat /workspace/loaded.*'));
    expect(loaded.out).toContain('libc.so');
    expect(loaded.out).not.toContain('nsenter');
  });

  it('has a writable workspace, temporary folder, home and tool cache', async () => {
    await using env = await create();
    for (const path of Object.values(env.info.paths)) {
      expect((await run(env, sh(`echo 1 > ${path}/f && cat ${path}/f`))).out).toBe('1\n');
    }
  });

  it('ends a whole tree on a cancel, also what left the group, and goes on', async () => {
    await using env = await create();
    const stop = new AbortController();
    const out = captureOutput();
    const request: ExecRequest = {
      argv: sh(
        `(trap '' TERM INT; echo stubborn; sleep 600) & setsid sleep 601 < /dev/null > /dev/null 2>&1 & sleep 602`,
      ),
      env: env.target!.baseEnv,
      cwd: '/workspace',
      stdout: out.sink,
      stderr: out.sink,
      stop: [
        { signal: 'SIGTERM', graceMs: 200 },
        { signal: 'SIGKILL', graceMs: 0 },
      ],
    };
    const { result } = env.target!.exec(request, callContext(stop.signal));
    await eventually(() => out.text().includes('stubborn'));
    stop.abort();
    expect(await result).toEqual({ kind: 'stopped', survivors: 0 });
    const left = await run(env, sh('ps -A -o args= | grep "[s]leep 60"'));
    expect(left.out).toBe('');
    expect(await env.state(callContext())).toEqual({ alive: true });
  });

  it('keeps a background process for later execs and ends it with the environment', async () => {
    const env = await create();
    await run(env, sh('sleep 4242 > /dev/null 2>&1 & echo $! > pid'));
    expect((await run(env, sh('kill -0 "$(cat pid)" && echo alive'))).out).toBe('alive\n');
    const report = await env.remove(callContext());
    expect(report).toEqual({ removed: [env.name], leaked: [] });
    expect(execFileSync('ps', ['-A', '-o', 'args=']).toString()).not.toMatch(/^sleep 4242$/m);
    expect(await env.remove(callContext())).toMatchObject({ leaked: [] });
  });

  it('says that the outcome is unknown when the sandbox is killed', async () => {
    await using env = await create();
    const running = run(env, sh('echo on; sleep 600'));
    await eventually(async () => execFileSync('ps', ['-A', '-o', 'args=']).toString().includes('sleep 600'));
    process.kill(Number(env.id), 'SIGKILL');
    await expect(running).rejects.toMatchObject({ code: 'lost' });
    // Its end shows a moment after the end of what ran in it.
    await eventually(async () => !(await env.state(callContext())).alive);
  });

  it('copies in and out without loss', async () => {
    await using env = await create();
    await using other = await openTempFolder();
    await other.write({ 'in/deep/binary': Uint8Array.from({ length: 256 }, (_, at) => at), 'in/with space/ü': 'text' });
    await env.target!.copyIn({ dest: '/workspace/new', tar: packFolder(other.join('in'), 'place') }, callContext());
    expect((await run(env, sh('cat "new/place/with space/ü"; wc -c < new/place/deep/binary'))).out).toBe('text256\n');
    await unpackInto(other.join('out'), env.target!.copyOut({ src: '/workspace/new/place/deep' }, callContext()));
    expect([...(await readFile(other.join('out', 'deep', 'binary')))]).toEqual(
      Array.from({ length: 256 }, (_, at) => at),
    );
  });

  it('refuses what cannot be copied out', async () => {
    await using env = await create();
    await run(env, sh('head -c 100000 /dev/zero > big'));
    const read = async (src: string, maxBytes?: number): Promise<void> => {
      const request = maxBytes === undefined ? { src } : { src, maxBytes };
      for await (const chunk of env.target!.copyOut(request, callContext())) if (chunk.length === 0) return;
    };
    await expect(read('/workspace/missing')).rejects.toMatchObject({ code: 'not_found' });
    await expect(read('/workspace/big', 99_999)).rejects.toMatchObject({ code: 'plan' });
    await read('/workspace/big', 100_000);
    await expect(read('/')).rejects.toMatchObject({ code: 'plan' });
  });

  it('stops packing when the reader stops reading', async () => {
    await using env = await create();
    await run(env, sh('head -c 30000000 /dev/zero > big'));
    for await (const chunk of env.target!.copyOut({ src: '/workspace/big' }, callContext())) {
      expect(chunk.length).toBeGreaterThan(0);
      break;
    }
    const isGone = async (): Promise<boolean> => (await run(env, sh('ps -A -o comm= | grep "^tar"'))).out === '';
    expect(await eventually(isGone)).toBe(true);
  });

  it('copies through a symlink of a step to where it leads inside, never on the machine', async () => {
    await using env = await create();
    await using other = await openTempFolder();
    await other.write({ 'in/file': 'text' });
    await mkdir(other.join('target'));
    await run(env, sh(`mkdir -p ${other.join('target')} && ln -s ${other.join('target')} link`));
    await env.target!.copyIn({ dest: '/workspace/link', tar: packFolder(other.join('in'), 'sub') }, callContext());
    expect(await readdir(other.join('target'))).toEqual([]);
    expect((await run(env, sh('cat link/sub/file'))).out).toBe('text');
  });

  it('leaves nothing of an environment behind', async () => {
    const env = await create();
    await run(env, sh('mkdir -p locked/inner && touch locked/inner/f && chmod 000 locked/inner && chmod 500 locked'));
    await env.remove(callContext());
    const [parent = ''] = await readdir(folder.path);
    expect(await readdir(join(folder.path, parent))).not.toContain(env.name);
  });

  it('refuses a name that is taken or wrong, and the first keeps working', async () => {
    await using env = await create('test:chroot', 'taken');
    await expect(create('test:chroot', 'taken')).rejects.toMatchObject({ code: 'plan' });
    await expect(create('test:chroot', '../up')).rejects.toMatchObject({ code: 'plan' });
    expect((await run(env, sh('echo fine'))).out).toBe('fine\n');
  });

  it('removes what it made, whenever the creation is cancelled', async () => {
    const outcomes: string[] = [];
    for (const afterMs of [-1, 0, 1, 2, 4, 8, 12, 16, 24]) {
      const signal = afterMs < 0 ? AbortSignal.abort() : AbortSignal.timeout(afterMs);
      try {
        // A creation that is through before the signal stands, and is the caller's to remove.
        await (await create('test:chroot', 'cancelled', signal)).remove(callContext());
        outcomes.push('made');
      } catch (error) {
        outcomes.push((error as BackendError).code);
      }
      const [parent = ''] = await readdir(folder.path);
      const left = await readdir(join(folder.path, parent));
      expect(left.filter((name) => name === 'cancelled' || name.startsWith('.new-'))).toEqual([]);
    }
    expect(outcomes.slice(0, 2)).toEqual(['cancelled', 'cancelled']);
    expect(outcomes.filter((outcome) => outcome !== 'made' && outcome !== 'cancelled')).toEqual([]);
  });

  it('ends by itself when its time is over', async () => {
    await using env = await create('test:chroot', 'short', undefined, Date.now() + 1000);
    expect(await eventually(async () => !(await env.state(callContext())).alive)).toBe(true);
  });

  it('has only its own loopback with network=none', async () => {
    await using env = await create('test:chroot?network=none');
    expect((await run(env, sh('cat /proc/net/dev | tail -n +3 | cut -d: -f1 | tr -d " "'))).out).toBe('lo\n');
    await using open = await create('test:chroot');
    expect((await run(open, sh('cat /proc/net/dev'))).out).toBe(await readFile('/proc/net/dev', 'utf8'));
  });

  it('shows folders of the machine that the label names, read-only', async () => {
    await using other = await openTempFolder();
    execFileSync('chmod', ['777', other.path]);
    await other.write({ tool: 'of the machine' });
    await using env = await create(`test:chroot?mount=${other.path}`);
    expect((await run(env, sh(`cat ${other.path}/tool; touch ${other.path}/x || echo no`))).out).toBe(
      'of the machineno\n',
    );
  });

  it.runIf(process.getuid?.() === 0)('says which folder keeps the owner of the sandboxes out', async () => {
    await using closed = await openTempFolder();
    await expect(openBackend({ workdir_parent: closed.path })).rejects.toMatchObject({
      code: 'config',
      details: { resource: closed.path },
    });
  });

  it.each([
    'test:chroot?netwrk=none',
    'test:chroot?network=maybe',
    'test:chroot://image',
    'test:chroot?mount=relative',
    'test:chroot?mount=/a/../b',
  ])('refuses the label %s', async (label) => {
    await expect(backend.resolveLabel(parseLabel(label), callContext())).rejects.toMatchObject({ code: 'label' });
  });

  it.each([{ mount: ['/a'] }, { mounts: ['a'] }, { user_id: 0 }, { workdir_parent: 'here' }])(
    'refuses the configuration %j',
    async (config) => {
      const read = await factory.configSchema['~standard'].validate(config);
      expect(read.issues).toHaveLength(1);
    },
  );

  it('sweeps what an earlier process left, and nothing else', async () => {
    await using alive = await create('test:chroot', 'alive');
    const [parent = ''] = await readdir(folder.path);
    const left = async (name: string, file: object | undefined): Promise<void> => {
      await mkdir(join(folder.path, parent, name, 'root'), { recursive: true });
      if (file !== undefined) await writeFile(join(folder.path, parent, name, 'owner.json'), JSON.stringify(file));
    };
    const soon = Date.now() + 100_000;
    const file = await ownerFile({ ...owner, boot: 'boot-zero' }, soon);
    await left('left', file);
    await left('maker-gone', { ...file, process: { ...file.process, startedAt: '1' } });
    await left('elsewhere', { ...file, process: { ...file.process, startedAt: '1', namespace: 'pid:[1]' } });
    await left('expired', { ...file, expiresAt: 1 });
    await left('foreign', { ...file, runner: 'another', expiresAt: 1 });
    await left('unlabelled', undefined);
    const request = { owner, keep: ['alive'], otherBoots: 'only-expired', dryRun: false } as const;
    const dry = await backend.sweep({ ...request, dryRun: true }, callContext());
    expect(new Set(dry.removed)).toEqual(new Set(['expired', 'maker-gone']));
    const first = await backend.sweep(request, callContext());
    expect(new Set(first.removed)).toEqual(new Set(['expired', 'maker-gone']));
    expect(new Set(first.kept)).toEqual(new Set(['alive', 'left', 'elsewhere']));
    const second = await backend.sweep({ ...request, otherBoots: 'remove' }, callContext());
    expect(second).toMatchObject({ kept: ['alive'], leaked: [] });
    expect(new Set(second.removed)).toEqual(new Set(['left', 'elsewhere']));
    expect(new Set(await readdir(join(folder.path, parent)))).toEqual(new Set(['alive', 'foreign', 'unlabelled']));
    expect((await run(alive, sh('echo fine'))).out).toBe('fine\n');
  });
});

async function* oneChunk(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

function packFolder(src: string, name: string): AsyncIterable<Uint8Array> {
  return packTar({ src, name }, AbortSignal.timeout(60_000));
}

async function unpackInto(dest: string, tar: AsyncIterable<Uint8Array>): Promise<void> {
  await mkdir(dest, { recursive: true });
  await unpackTar({ dest, tar }, AbortSignal.timeout(60_000));
}
