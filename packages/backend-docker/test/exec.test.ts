import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { ExecutionEnvironment, Target } from '@forgejo-runner/core';
import { callContext } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Bench, docker, hasEngine, inventory, makeImage, openBench, sh } from './docker-fixture.ts';

let bench: Bench;
let environment: ExecutionEnvironment;
let target: Target;

/** Runs a program without a shell around it. */
async function run(argv: readonly [string, ...string[]], rest: Parameters<typeof sh>[2] = {}): ReturnType<typeof sh> {
  return sh(target, '', { argv, ...rest });
}

/** Processes of the container whose command has a word in it, seen from outside. */
function running(word: string): number {
  return docker('top', environment.id, '-eo', 'pid,args')
    .split('\n')
    .filter((line) => line.includes(word)).length;
}

/** Bytes of buffers that somebody still holds. */
function bytesInMemory(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().arrayBuffers;
}

const all = (letter: string): string => Array.from({ length: 500 }, (_, index) => `${letter}${index}\n`).join('');

describe.skipIf(!hasEngine)('a process in a container', () => {
  beforeAll(async () => {
    const image = makeImage('busybox', {
      changes: ['ENV FROM_IMAGE=yes', 'ENV HOSTNAME=wrong', 'ENTRYPOINT ["/bin/false"]'],
    });
    bench = await openBench(image);
    environment = await bench.create();
    if (environment.target === undefined) throw new Error('expected a target');
    target = environment.target;
  });
  afterAll(async () => {
    await environment?.remove(callContext());
    if (bench !== undefined) expect(inventory(bench.owner.runner)).toEqual([]);
  });

  it.each([0, 1, 2, 42, 126, 127, 128, 200, 255])('tells its exit code %i', async (code) => {
    expect((await sh(target, `exit ${code}`)).result).toEqual({ kind: 'exited', code });
  });

  it.each([
    ['TERM', 143],
    ['KILL', 137],
    ['SEGV', 139],
  ])('tells death by %s as the engine does', async (signal, code) => {
    expect((await sh(target, `kill -${signal} $$`)).result).toEqual({ kind: 'exited', code });
  });

  it('gets every argument byte for byte', async () => {
    const words = ['', 'a b', '$(id)', '\'"', '\\', 'line\nbreak', '\t', 'ünï', '-n', '*'];
    const { stdout } = await run(['/bin/printf', '[%s]', ...words]);
    expect(stdout).toBe(words.map((word) => `[${word}]`).join(''));
    expect(
      (
        await sh(target, 'echo $#', {
          argv: ['/bin/sh', '-c', 'echo $#', 'x', ...Array.from({ length: 2000 }, () => 'a')],
        })
      ).stdout,
    ).toBe('2000\n');
  });

  it('has exactly the variables that it was given, its marker and nothing else', async () => {
    const env = {
      PATH: '/bin',
      HOME: '/tmp',
      'with-dash': '1',
      LINES_: 'a\nb\n',
      EMPTY: '',
      EQUALS: 'a=b',
      CR: '\r',
      '1': 'digit',
    };
    const { stdout } = await sh(target, 'cat /proc/self/environ', { argv: ['/bin/cat', '/proc/self/environ'], env });
    const found = stdout.split('\0').filter((text) => text !== '' && !text.startsWith('FJR_EXEC='));
    expect(found.toSorted()).toEqual(
      Object.entries(env)
        .map(([name, value]) => `${name}=${value}`)
        .toSorted(),
    );
  });

  it('takes large values, and says which one is too large for any process', async () => {
    const env = { ...target.baseEnv, BIG: 'x'.repeat(120 * 1024) };
    expect((await sh(target, 'echo ${#BIG}', { env })).stdout).toBe(`${120 * 1024}\n`);
    await expect(sh(target, 'true', { env: { ...env, BIG: 'x'.repeat(1024 * 1024) } })).rejects.toMatchObject({
      code: 'plan',
      message: expect.stringContaining('variable "BIG"'),
    });
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`B${index}`, 'x'.repeat(100 * 1024)]));
    await expect(sh(target, 'true', { env: { ...target.baseEnv, ...many } })).rejects.toMatchObject({
      code: 'plan',
      message: expect.stringContaining('that the system takes'),
    });
    expect((await sh(target, 'echo usable')).stdout).toBe('usable\n');
  });

  it.each([
    ['a program that is not there', { argv: ['/no/such'] }, 'found no "/no/such"'],
    ['a program that is not on PATH', { argv: ['nosuch'] }, 'found no "nosuch"'],
    ['a file that is not executable', { argv: ['/etc/passwd'] }, 'not executable'],
    ['a folder that is not there', { cwd: '/no/folder' }, 'found nothing at "/no/folder"'],
    ['a folder that is a file', { cwd: '/etc/passwd' }, 'found something else at "/etc/passwd"'],
    ['a user that nobody knows', { user: 'nobody-knows' }, 'found "nobody-knows"'],
  ] as const)('is refused for %s, and nothing of it is output', async (_, rest, message) => {
    const output: string[] = [];
    const handle = target.exec(
      {
        argv: ['/bin/true'],
        env: target.baseEnv,
        cwd: '/',
        stdout: (chunk) => void output.push(String(chunk)),
        stderr: (chunk) => void output.push(String(chunk)),
        ...rest,
      },
      callContext(),
    );
    await expect(handle.result).rejects.toMatchObject({ code: 'plan', message: expect.stringContaining(message) });
    expect(output).toEqual([]);
  });

  it('may write what an engine says, and it is its own output', async () => {
    const said = 'OCI runtime exec failed: not so';
    expect(await sh(target, `echo "${said}"; exit 126`)).toEqual({
      result: { kind: 'exited', code: 126 },
      stdout: `${said}\n`,
      stderr: '',
    });
  });

  it('runs as another user, by name and by number', async () => {
    expect((await sh(target, 'id -u', { user: 'runner' })).stdout).toBe('1000\n');
    expect((await sh(target, 'id -u; id -g', { user: '1234:998' })).stdout).toBe('1234\n998\n');
  });

  it('has its streams apart, and its last words without a line break', async () => {
    const { stdout, stderr } = await sh(
      target,
      'i=0; while [ $i -lt 500 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done; printf end',
    );
    expect({ stdout, stderr }).toEqual({ stdout: `${all('o')}end`, stderr: all('e') });
  });

  it('gives every byte of 100 MB in order, and no more at a time than a slow reader takes', async () => {
    const count = '13000000';
    const [expected = ''] = execFileSync('sh', ['-c', `seq 1 ${count} | sha256sum`], { encoding: 'utf8' }).split(' ');
    const hash = createHash('sha256');
    let bytes = 0;
    let most = 0;
    const before = bytesInMemory();
    const result = await target.exec(
      {
        argv: ['/bin/busybox', 'seq', '1', count],
        env: target.baseEnv,
        cwd: '/',
        stdout: async (chunk) => {
          hash.update(chunk);
          bytes += chunk.length;
          if (Math.floor(bytes / 1e7) === Math.floor((bytes - chunk.length) / 1e7)) return;
          // The process is given the time to run ahead, ten times.
          await pause(100);
          most = Math.max(most, bytesInMemory() - before);
        },
        stderr: () => {},
      },
      callContext(),
    ).result;
    expect(result).toEqual({ kind: 'exited', code: 0 });
    expect(bytes).toBeGreaterThan(100e6);
    expect(hash.digest('hex')).toBe(expected);
    expect(most).toBeLessThan(16 * 1024 * 1024);
  });

  it('reads what it is given, to its end', async () => {
    const stdin = (async function* () {
      for (let index = 0; index < 160; index += 1) yield Buffer.alloc(65_536, 'x');
    })();
    expect((await run(['/bin/wc', '-c'], { stdin })).stdout.trim()).toBe(String(160 * 65_536));
    const early = (async function* () {
      for (;;) yield Buffer.alloc(65_536, 'x');
    })();
    expect((await run(['/bin/head', '-c', '3'], { stdin: early })).stdout).toBe('xxx');
    expect((await run(['/bin/cat'])).stdout).toBe('');
  });

  it('has a terminal of the size that was asked for', async () => {
    const { stdout } = await sh(target, 'test -t 0 && test -t 1 && echo terminal', { tty: { columns: 90, rows: 30 } });
    expect(stdout).toBe('terminal\r\n');
    expect((await sh(target, 'test -t 1 || echo none')).stdout).toBe('none\n');
  });

  it('is over although a child in the background keeps its output open', async () => {
    const started = performance.now();
    const { result, stdout } = await sh(target, 'sleep 31 & echo done; exit 4');
    expect({ result, stdout }).toEqual({ result: { kind: 'exited', code: 4 }, stdout: 'done\n' });
    expect(performance.now() - started).toBeLessThan(20_000);
    expect(running('sleep 31')).toBe(1);
  });

  it('obeys a signal that is sent to it', async () => {
    let stdout = '';
    const handle = target.exec(
      {
        argv: ['/bin/sh', '-c', 'trap "echo trapped; exit 7" INT; echo ready; while :; do sleep 0.1; done'],
        env: target.baseEnv,
        cwd: '/',
        stdout: (chunk) => void (stdout += String(chunk)),
        stderr: () => {},
      },
      callContext(),
    );
    await expect.poll(() => stdout, { timeout: 20_000 }).toBe('ready\n');
    await handle.signal?.('SIGINT');
    expect(await handle.result).toEqual({ kind: 'exited', code: 7 });
    expect(stdout).toBe('ready\ntrapped\n');
  });
});

describe.skipIf(!hasEngine)('cancelling a process in a container', () => {
  beforeAll(async () => {
    bench = await openBench(makeImage('busybox-stop', { changes: ['ENV FROM_IMAGE=yes'] }));
    environment = await bench.create();
    if (environment.target === undefined) throw new Error('expected a target');
    target = environment.target;
  });
  afterAll(async () => {
    await environment?.remove(callContext());
  });

  const quick = [
    { signal: 'SIGINT', graceMs: 300 },
    { signal: 'SIGTERM', graceMs: 300 },
    { signal: 'SIGKILL', graceMs: 0 },
  ] as const;

  async function stopOnce(word: string, script: string, rest: Parameters<typeof sh>[2] = {}): ReturnType<typeof sh> {
    const stop = new AbortController();
    const run = sh(target, script, { signal: stop.signal, stop: quick, ...rest });
    await expect.poll(() => running(word), { timeout: 20_000 }).toBeGreaterThan(0);
    stop.abort();
    return run;
  }

  it.each([
    ['a tree that ignores INT and TERM', "trap '' INT TERM; sleep 1001; sleep 1001"],
    ['a child that left its session', 'setsid sleep 1001 & sleep 1001'],
    [
      'a child that left its session and ignores TERM',
      `(trap '' TERM INT; exec setsid sh -c "trap '' TERM INT; sleep 1001; sleep 1001") > /dev/null 2>&1 & sleep 1001`,
    ],
    ['a daemon that lost its parent', '( setsid sleep 1001 < /dev/null > /dev/null 2>&1 & ) ; sleep 1001'],
  ])('ends %s, and the container lives on', async (_, script) => {
    const { result } = await stopOnce('sleep 1001', script);
    expect(result).toEqual({ kind: 'stopped', survivors: 0 });
    await expect.poll(() => running('sleep 1001'), { timeout: 10_000 }).toBe(0);
    expect((await sh(target, 'echo next')).stdout).toBe('next\n');
  });

  it('ends processes of another user', async () => {
    const { result } = await stopOnce('sleep 1002', 'sleep 1002', { user: 'runner' });
    expect(result).toEqual({ kind: 'stopped', survivors: 0 });
    expect(running('sleep 1002')).toBe(0);
  });

  it('lets it clean up first, and takes its last words', async () => {
    const { result, stdout } = await stopOnce(
      'sleep 0.3',
      "trap 'echo cleaned; exit 0' INT; while :; do sleep 0.3; done",
      {
        stop: [
          { signal: 'SIGINT', graceMs: 10_000 },
          { signal: 'SIGKILL', graceMs: 0 },
        ],
      },
    );
    expect({ result, stdout }).toEqual({ result: { kind: 'stopped', survivors: 0 }, stdout: 'cleaned\n' });
  });

  it('leaves what an earlier process has left running', async () => {
    await sh(target, 'setsid sleep 1003 > /dev/null 2>&1 < /dev/null &');
    await stopOnce('sleep 1004', 'sleep 1004');
    expect(running('sleep 1003')).toBe(1);
  });

  it('starts nothing when it is cancelled before', async () => {
    const { result } = await sh(target, 'touch /tmp/ran', { signal: AbortSignal.abort() });
    expect(result).toEqual({ kind: 'stopped', survivors: 0 });
    expect((await sh(target, 'test -e /tmp/ran || echo never')).stdout).toBe('never\n');
  });

  it('ends it when its output cannot be taken', async () => {
    const handle = target.exec(
      {
        argv: ['/bin/sh', '-c', 'echo x; sleep 1005'],
        env: target.baseEnv,
        cwd: '/',
        stop: quick,
        stdout: () => {
          throw new Error('the disk is full');
        },
        stderr: () => {},
      },
      callContext(),
    );
    await expect(handle.result).rejects.toMatchObject({
      code: 'internal',
      message: expect.stringContaining('the disk is full'),
    });
    expect(running('sleep 1005')).toBe(0);
  });

  it('is not mistaken for the end of the container', async () => {
    const lost = sh(target, 'sleep 1006').then(
      () => 'ended',
      (error: { code?: string }) => error.code,
    );
    await expect.poll(() => running('sleep 1006'), { timeout: 20_000 }).toBe(1);
    docker('kill', environment.id);
    expect(await lost).toBe('lost');
  });
});
