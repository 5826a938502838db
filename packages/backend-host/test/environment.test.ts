import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type BackendEvent, isBackendError, parseLabel } from '@forgejo-runner/core';
import { packTar } from '@forgejo-runner/kit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { callContext, countProcesses, type Host, openHost, sh } from './host-fixture.ts';

let folder = '';
let parent = '';
let host: Host;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'host test ü '));
  parent = path.join(folder, 'jobs');
  host = await openHost(parent);
});
afterEach(async () => {
  await host.backend.sweep(
    { owner: { runner: 'runner-1', boot: 'none' }, keep: [], otherBoots: 'remove', dryRun: false },
    callContext(),
  );
  await rm(folder, { recursive: true, force: true });
});

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  const error: unknown = await work.then(() => 'nothing thrown').catch((reason: unknown) => reason);
  return isBackendError(error) ? error.code : error;
}

async function drain(chunks: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of chunks) expect(chunk.length).toBeGreaterThan(0);
}

async function modeOf(at: string): Promise<number> {
  return (await stat(at)).mode & 0o777;
}

async function hash(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
}

it('makes folders, runs a command there and leaves nothing', async () => {
  const events: BackendEvent[] = [];
  const environment = await host.create('job-1');
  const { paths } = environment.info;
  const run = await sh(environment, 'echo "$PWD"; touch made');
  expect([run.result, run.stdout]).toEqual([{ kind: 'exited', code: 0 }, `${paths.workspace}\n`]);
  for (const at of Object.values(paths)) {
    expect((await sh(environment, 'test -d "$AT" && test -w "$AT" && echo ok', { env: { AT: at } })).stdout).toBe(
      'ok\n',
    );
  }
  expect((await stat(path.join(parent, 'job-1'))).mode & 0o777).toBe(0o700);
  expect(await environment.state(callContext())).toEqual({ alive: true });
  expect(await environment.remove(callContext(undefined, events))).toEqual({
    removed: [path.join(parent, 'job-1')],
    leaked: [],
  });
  expect(await readdir(parent)).toEqual(['tool_cache']);
  expect(events.map((event) => event.type)).toEqual(['resource.removed']);
  expect(await environment.state(callContext())).toMatchObject({ alive: false, reason: 'stopped' });
});

it('hands no variable of the runner on but the listed ones', async () => {
  process.env['RUNNER_OWN_TOKEN'] = 'secret';
  try {
    const environment = await host.create('job-1');
    expect(Object.keys(environment.target.baseEnv)).not.toContain('RUNNER_OWN_TOKEN');
    const { stdout } = await sh(environment, 'exec /usr/bin/env -0', { env: { ONLY: 'this one' } });
    const names = stdout
      .split('\0')
      .map((entry) => entry.split('=')[0])
      .filter((name) => name !== '');
    expect(names.toSorted()).toEqual(['FJR_ENV', 'FJR_EXEC', 'ONLY', ...(names.includes('PWD') ? ['PWD'] : [])]);
  } finally {
    delete process.env['RUNNER_OWN_TOKEN'];
  }
});

it('gives a job a home of its own where HOME is not on the list', async () => {
  const other = await openHost(parent, 'runner-1', 'boot-1', { env_allow: ['PATH'] });
  const environment = await other.create('job-1');
  const { stdout } = await sh(environment, 'echo "$HOME"; touch "$HOME/x"');
  expect(stdout).toBe(`${path.join(parent, 'job-1', 'home')}\n`);
  expect(await readFile(path.join(parent, 'job-1', 'home', 'x'), 'utf8')).toBe('');
});

it('refuses a name that lives', async () => {
  const first = await host.create('job-1');
  await writeFile(path.join(first.info.paths.workspace, 'kept'), 'x');
  expect(await codeOf(host.create('job-1'))).toBe('plan');
  expect((await sh(first, 'cat kept')).stdout).toBe('x');
});

it('makes nothing when it is cancelled', async () => {
  const ctx = callContext(AbortSignal.abort());
  const label = { capabilities: {} as never, canonical: '', data: {} };
  const request = {
    name: 'job-1',
    task: { id: '1', attempt: 1, repository: 'o/r', workflow: 'w', job: 'j' },
    owner: { runner: 'runner-1', boot: 'boot-1' },
    label,
    plan: { services: [], stepContainers: 'none' as const },
    expiresAt: Date.now() + 60_000,
  };
  expect(await codeOf(host.backend.createEnvironment(request, ctx))).toBe('cancelled');
  expect(await readdir(parent)).toEqual(['tool_cache']);
});

it('opens /dev/stdout and /dev/stderr', async () => {
  const environment = await host.create('job-1');
  const run = await sh(environment, 'echo out > /dev/stdout; echo err > /dev/stderr');
  expect([run.result, run.stdout, run.stderr]).toEqual([{ kind: 'exited', code: 0 }, 'out\n', 'err\n']);
});

it('runs the next command after a cancelled one', async () => {
  const environment = await host.create('job-1');
  const controller = new AbortController();
  const running = sh(environment, 'echo up; (setsid sleep 701.5 &) ; sleep 701.5', {
    signal: controller.signal,
    stdout: () => controller.abort(),
  });
  expect((await running).result).toEqual({ kind: 'stopped', survivors: 0 });
  expect(countProcesses('sleep 701.5')).toBe(0);
  expect((await sh(environment, 'echo still here')).stdout).toBe('still here\n');
});

it('keeps a child in the background for later steps, and ends it with the environment', async () => {
  const environment = await host.create('job-1');
  await sh(environment, 'setsid sleep 702.5 > /dev/null 2>&1 &');
  await expect.poll(() => countProcesses('sleep 702.5')).toBe(1);
  await sh(environment, 'true');
  expect(countProcesses('sleep 702.5')).toBe(1);
  await environment.remove(callContext());
  expect(countProcesses('sleep 702.5')).toBe(0);
});

it('removes while a command runs, which then is lost', async () => {
  const environment = await host.create('job-1');
  let isUp = false;
  const running = sh(environment, "trap '' TERM; echo up; while :; do sleep 703.5; done", {
    stdout: () => void (isUp = true),
  });
  const failed = codeOf(running);
  await expect.poll(() => isUp).toBe(true);
  expect(await environment.remove(callContext(AbortSignal.abort()))).toMatchObject({ leaked: [] });
  expect([await failed, countProcesses('sleep 703.5')]).toEqual(['lost', 0]);
  expect(await codeOf(sh(environment, 'true'))).toBe('lost');
});

it('lets no process start while it is removed', async () => {
  for (let round = 0; round < 8; round++) {
    const environment = await host.create(`job-${round}`);
    const failed = codeOf(sh(environment, 'setsid sleep 705.5 & sleep 705.5'));
    for (let turn = 0; turn < round; turn++) await new Promise((resolve) => void setImmediate(resolve));
    expect(await environment.remove(callContext())).toMatchObject({ leaked: [] });
    expect([await failed, countProcesses('sleep 705.5')]).toEqual(['lost', 0]);
  }
});

it('removes twice, at once and after disposal', async () => {
  const environment = await host.create('job-1');
  const reports = await Promise.all([environment.remove(callContext()), environment.remove(callContext())]);
  expect(reports[0]).toEqual(reports[1]);
  await environment[Symbol.asyncDispose]();
  expect(await environment.remove(callContext())).toEqual({ removed: [], leaked: [] });
});

it('removes read-only files and folders, and nothing behind a symlink', async () => {
  const environment = await host.create('job-1');
  await mkdir(path.join(folder, 'outside'));
  await writeFile(path.join(folder, 'outside', 'kept'), 'x');
  const { workspace } = environment.info.paths;
  await symlink(path.join(folder, 'outside'), path.join(workspace, 'link'));
  await sh(
    environment,
    'mkdir -p a/b/c; echo x > a/b/c/f; chmod 0400 a/b/c/f; chmod 0500 a/b/c a/b; chmod 0 a; chmod 0500 .',
  );
  expect(await environment.remove(callContext())).toMatchObject({ leaked: [] });
  expect([await readdir(parent), await readdir(path.join(folder, 'outside'))]).toEqual([['tool_cache'], ['kept']]);
});

it('ends an environment whose time is over', async () => {
  const environment = await host.create('job-1', { expiresAt: Date.now() + 400 });
  const failed = codeOf(sh(environment, "trap '' TERM; while :; do sleep 704.5; done"));
  expect(await failed).toBe('lost');
  await expect.poll(async () => (await readdir(parent)).includes('job-1')).toBe(false);
  expect(await environment.state(callContext())).toMatchObject({ alive: false, reason: 'expired' });
  expect(countProcesses('sleep 704.5')).toBe(0);
});

it('runs four environments side by side', async () => {
  const names = ['job-1', 'job-2', 'job-3', 'job-4'];
  const environments = await Promise.all(names.map((name) => host.create(name)));
  const runs = await Promise.all(
    environments.map((one) => sh(one, 'basename "$(dirname "$PWD")" > who; sleep 0.2; cat who')),
  );
  expect(runs.map((run) => run.stdout.trim())).toEqual(names);
  const [first, ...others] = environments;
  const going = others.map((one) => sh(one, 'sleep 1; echo fine'));
  await first?.remove(callContext());
  expect((await Promise.all(going)).map((run) => run.stdout)).toEqual(['fine\n', 'fine\n', 'fine\n']);
  await Promise.all(others.map((one) => one.remove(callContext())));
  expect(await readdir(parent)).toEqual(['tool_cache']);
});

it('copies in and out, and shows the same bytes at once', async () => {
  const environment = await host.create('job-1');
  const { workspace } = environment.info.paths;
  const source = path.join(folder, 'source');
  await mkdir(path.join(source, 'deep'), { recursive: true });
  await writeFile(path.join(source, 'deep', 'tool'), '#!/bin/sh\necho tool', { mode: 0o755 });
  const never = new AbortController().signal;
  await environment.target.copyIn(
    { dest: path.join(workspace, 'in'), tar: packTar({ src: source }, never) },
    callContext(),
  );
  expect((await sh(environment, './in/source/deep/tool')).stdout).toBe('tool\n');
  const there = path.join(workspace, 'in', 'source');
  expect(environment.target.sharedPath?.(there)).toBe(there);
  expect(environment.target.sharedPath?.('relative')).toBeUndefined();
  const out = path.join(folder, 'out');
  const other = await host.create('job-2');
  await other.target.copyIn(
    { dest: out, tar: environment.target.copyOut({ src: there }, callContext()) },
    callContext(),
  );
  expect((await stat(path.join(out, 'source', 'deep', 'tool'))).mode & 0o777).toBe(0o755);
});

it('says what it cannot copy', async () => {
  const { target, info } = await host.create('job-1');
  const out = (src: string, maxBytes = 1e9): Promise<unknown> =>
    codeOf(drain(target.copyOut({ src, maxBytes }, callContext())));
  await writeFile(path.join(info.paths.workspace, 'ten'), '0123456789');
  expect(await out(path.join(info.paths.workspace, 'missing'))).toBe('not_found');
  expect(await out(path.join(info.paths.workspace, 'ten'), 9)).toBe('plan');
  expect(await out('ten')).toBe('plan');
  const tar = async function* (): AsyncGenerator<Uint8Array> {
    yield* packTar({ src: path.join(info.paths.workspace, 'ten') }, new AbortController().signal);
  };
  expect(await codeOf(target.copyIn({ dest: 'relative', tar: tar() }, callContext()))).toBe('plan');
  expect(await codeOf(target.copyIn({ dest: folder, tar: tar(), owner: 'keep' }, callContext()))).toBe('unsupported');
});

it('copies ten thousand small files and one large one', { timeout: 120_000 }, async () => {
  const environment = await host.create('job-1');
  const { workspace } = environment.info.paths;
  await sh(
    environment,
    'mkdir many; i=0; while [ $i -lt 10000 ]; do echo $i > many/$i; i=$((i+1)); done; head -c 300000000 /dev/urandom > large',
  );
  const before = process.memoryUsage.rss();
  const { target } = environment;
  const move = (name: string): Promise<void> =>
    target.copyIn(
      { dest: path.join(workspace, 'out'), tar: target.copyOut({ src: path.join(workspace, name) }, callContext()) },
      callContext(),
    );
  await move('many');
  await move('large');
  expect(await readdir(path.join(workspace, 'out', 'many'))).toHaveLength(10_000);
  expect(process.memoryUsage.rss() - before).toBeLessThan(160 * 1024 * 1024);
  expect(await hash(path.join(workspace, 'out', 'large'))).toBe(await hash(path.join(workspace, 'large')));
});

it('is healthy while its folder can be used, and down without a throw when not', async () => {
  expect((await host.backend.health(callContext())).status).not.toBe('down');
  await rm(parent, { recursive: true });
  expect(await host.backend.health(callContext())).toMatchObject({
    status: 'down',
    detail: expect.stringContaining(parent),
  });
});

it('does not share state between two backends of the factory', async () => {
  const other = await openHost(path.join(folder, 'other'));
  const [one, two] = await Promise.all([host.create('job-1'), other.create('job-1')]);
  expect(one.info.paths.workspace).not.toBe(two.info.paths.workspace);
  await two.remove(callContext());
  await other.backend[Symbol.asyncDispose]();
  expect((await sh(one, 'echo here')).stdout).toBe('here\n');
});

it('says so at once when its folder cannot be made', async () => {
  await writeFile(path.join(folder, 'file'), '');
  expect(await codeOf(openHost(path.join(folder, 'file', 'jobs')))).toBe('unavailable');
  await chmod(path.join(folder, 'file'), 0o600);
});

it('hands out the engine that it is configured with, and knows when there is none', async () => {
  const docker = `unix://${parent}/docker.sock`;
  const { backend, create } = await openHost(parent, 'runner-1', 'boot-1', { docker });
  const label = await backend.resolveLabel(parseLabel('shell:host'), callContext());
  expect(label.capabilities.containers).toEqual({ via: 'docker-endpoint' });
  const engine = {
    address: docker,
    binds: 'target-paths',
    publishedHost: '127.0.0.1',
    socketInTarget: `${parent}/docker.sock`,
  };
  expect(await backend.dockerEndpoints?.(callContext())).toEqual([engine]);
  await using environment = await create('with-engine');
  expect(await environment.dockerEndpoint?.(callContext())).toEqual(engine);
  const { workspace, temp, runner } = environment.info.paths;
  // Whatever user a container has can write there, and nobody of this machine can get there.
  for (const shown of [workspace, temp, runner]) expect(await modeOf(shown)).toBe(0o777);
  expect(await modeOf(path.dirname(workspace))).toBe(0o700);
  expect(await backend.health(callContext())).toMatchObject({ status: 'degraded' });
  await writeFile(`${parent}/docker.sock`, '');
  expect(await backend.health(callContext())).toEqual({ status: 'ok' });
});

it('has no engine unless it is configured with one', async () => {
  const { backend, create } = await openHost(parent);
  await using environment = await create('without-engine');
  expect([backend.dockerEndpoints, environment.dockerEndpoint]).toEqual([undefined, undefined]);
  expect(await modeOf(environment.info.paths.workspace)).toBe(0o700);
});
