import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type ExecHandle, type ExecRequest, type ExecResult, isBackendError } from '@forgejo-runner/core';
import { PipeSource, type ProcessGroupOptions, processTable, startProcessGroup } from '@forgejo-runner/kit';
import { afterEach, beforeEach, expect, it } from 'vitest';

const isPosix = process.platform !== 'win32';
const PATH = process.env['PATH'] ?? '/usr/bin:/bin';
const never = new AbortController().signal;
const quick = [
  { signal: 'SIGTERM', graceMs: 200 },
  { signal: 'SIGKILL', graceMs: 0 },
] as const;

let folder = '';
let pipes: PipeSource;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'group test ü '));
  pipes = new PipeSource(folder);
});
afterEach(async () => {
  await pipes.close();
  await rm(folder, { recursive: true, force: true });
});

class Output {
  stdout = '';
  stderr = '';
}

function start(
  argv: readonly [string, ...string[]],
  request: Partial<ExecRequest> = {},
  options: Partial<ProcessGroupOptions> = {},
): ExecHandle & { readonly output: Output } {
  const output = new Output();
  const handle = startProcessGroup(
    {
      argv,
      env: { PATH },
      cwd: folder,
      stop: quick,
      stdout: (chunk) => void (output.stdout += Buffer.from(chunk).toString()),
      stderr: (chunk) => void (output.stderr += Buffer.from(chunk).toString()),
      ...request,
    },
    { signal: never, pipes, ...options },
  );
  return { ...handle, output };
}

function shell(
  script: string,
  request: Partial<ExecRequest> = {},
  options: Partial<ProcessGroupOptions> = {},
): ReturnType<typeof start> {
  return start(['/bin/sh', '-c', script], request, options);
}

async function failure(handle: ExecHandle): Promise<{ readonly code: unknown; readonly message: string }> {
  const error: unknown = await handle.result
    .then((result) => JSON.stringify(result))
    .catch((reason: unknown) => reason);
  if (isBackendError(error)) return { code: error.code, message: error.message };
  return { code: undefined, message: String(error) };
}

/** Numbers of the processes that run with exactly this command line. */
function pidsOf(command: string): number[] {
  const list = execFileSync('ps', ['-A', '-o', 'pid=,stat=,args='], { encoding: 'utf8' }).split('\n');
  const rows = list.map((line) => /^\s*(\d+)\s+([^Z]\S*)\s+(.*?)\s*$/.exec(line)).filter((row) => row?.[3] === command);
  return rows.map((row) => Number(row?.[1]));
}

function count(command: string): number {
  return pidsOf(command).length;
}

function killAll(command: string): void {
  for (const pid of pidsOf(command)) process.kill(pid, 'SIGKILL');
}

const isMarker = (entry: string): boolean => /^FJR_EXEC=[0-9a-f]{32}$/.test(entry);

async function* given(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('given');
}

async function* silent(): AsyncGenerator<Uint8Array> {
  await new Promise(() => {});
  yield Buffer.alloc(0);
}

async function* failing(): AsyncGenerator<Uint8Array> {
  yield Buffer.from('x');
  throw new Error('no more');
}

it.each([0, 1, 2, 42, 126, 127, 128, 130, 254, 255])('reports exit code %i', async (code) => {
  expect(await shell(`exit ${code}`).result).toEqual({ kind: 'exited', code });
});

it.each(['SIGTERM', 'SIGKILL', 'SIGSEGV'])('reports death by %s', async (signal) => {
  expect(await shell(`kill -${signal.slice(3)} $$`).result).toEqual({ kind: 'signaled', signal });
});

it('keeps both outputs apart and in order, also the last line without a newline', async () => {
  const handle = shell('i=0; while [ $i -lt 3000 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done; printf last');
  expect(await handle.result).toEqual({ kind: 'exited', code: 0 });
  const numbers = Array.from({ length: 3000 }, (_, index) => index);
  expect(handle.output.stdout).toBe(`${numbers.map((index) => `o${index}\n`).join('')}last`);
  expect(handle.output.stderr).toBe(numbers.map((index) => `e${index}\n`).join(''));
});

it.runIf(process.platform === 'linux')('opens /dev/stdout and /dev/stderr', async () => {
  const handle = shell('echo one > /dev/stdout; echo two | tee /dev/stderr > /dev/null; echo three >> /dev/stdout');
  expect(await handle.result).toEqual({ kind: 'exited', code: 0 });
  expect([handle.output.stdout, handle.output.stderr]).toEqual(['one\nthree\n', 'two\n']);
});

it('works without named pipes', async () => {
  const handle = shell('cat; echo err >&2', { stdin: given() }, { pipes: new PipeSource(folder, 'win32') });
  expect(await handle.result).toEqual({ kind: 'exited', code: 0 });
  expect([handle.output.stdout, handle.output.stderr]).toEqual(['given', 'err\n']);
});

it('works without mkfifo and where nothing can be written', async () => {
  const handle = shell('echo out', {}, { pipes: new PipeSource(path.join(folder, 'none')) });
  await handle.result;
  expect(handle.output.stdout).toBe('out\n');
});

it('gives no terminal, and an input that is empty', async () => {
  const handle = shell('for fd in 0 1 2; do test -t $fd && echo tty; done; cat; echo done');
  await handle.result;
  expect(handle.output.stdout).toBe('done\n');
});

it('passes arguments on bit for bit', async () => {
  const many = Array.from({ length: 2000 }, (_, index) => `arg${index}`);
  const wanted = [
    '',
    ' ',
    'a b',
    '"q"',
    "'s'",
    '$(id)',
    '`id`',
    '\\',
    'line\nbreak',
    '\t',
    'ü€😀',
    '--',
    '-n',
    '*',
    ...many,
  ];
  const script = 'process.stdout.write(JSON.stringify(process.argv.slice(1)))';
  const handle = start([process.execPath, '-e', script, '--', ...wanted]);
  await handle.result;
  expect(JSON.parse(handle.output.stdout)).toEqual(wanted);
});

it('gives exactly the environment that was asked for, and a marker', async () => {
  process.env['NODE_V8_COVERAGE_BEFORE'] = 'the runner has this, the job must not';
  const env = {
    PATH,
    EMPTY: '',
    LINES: 'a\nb\r\nc',
    EQUALS: 'a=b',
    ÜMLAUT: 'ü',
    'dashed-name': '1',
    '1DIGIT': 'x',
    __proto__: 'y',
  };
  const handle = start(['/usr/bin/env', '-0'], { env });
  await handle.result;
  const entries = handle.output.stdout.split('\0').filter((line) => line !== '');
  expect(entries.filter((entry) => !isMarker(entry)).toSorted()).toEqual(
    Object.entries(env)
      .map(([name, value]) => `${name}=${value}`)
      .toSorted(),
  );
  expect(entries.filter(isMarker)).toHaveLength(1);
});

it('does not hand Node’s own coverage variable on', async () => {
  const before = process.env['NODE_V8_COVERAGE'];
  process.env['NODE_V8_COVERAGE'] = folder;
  try {
    const handle = start(['/usr/bin/env'], { env: { A: '1' } });
    await handle.result;
    expect(handle.output.stdout.split('\n').filter((line) => !line.startsWith('FJR_'))).toEqual(['A=1', '']);
  } finally {
    if (before === undefined) delete process.env['NODE_V8_COVERAGE'];
    else process.env['NODE_V8_COVERAGE'] = before;
  }
});

it('names what is missing or cannot be run', async () => {
  await writeFile(path.join(folder, 'plain'), 'x');
  await writeFile(path.join(folder, 'script'), '#!/nowhere/sh\n', { mode: 0o755 });
  expect(await failure(start(['no-such-program']))).toEqual({
    code: 'plan',
    message: expect.stringContaining('found no "no-such-program" on PATH'),
  });
  expect(await failure(start(['./nothing']))).toEqual({
    code: 'plan',
    message: 'expected a program, found no "./nothing"',
  });
  expect((await failure(start(['./plain']))).message).toContain('which is not executable');
  expect((await failure(start(['./script']))).message).toContain('its interpreter "/nowhere/sh" does not exist');
  expect((await failure(start([folder]))).message).toContain('found a folder at');
  expect((await failure(start(['']))).message).toContain('found an empty one');
  expect(await failure(shell('true', { cwd: path.join(folder, 'none') }))).toEqual({
    code: 'plan',
    message: `expected a folder to run in, found nothing at "${path.join(folder, 'none')}"`,
  });
  expect((await failure(shell('true', { cwd: path.join(folder, 'plain') }))).message).toContain(
    'found something else at',
  );
});

it('refuses what no process can be given, naming it', async () => {
  expect((await failure(start(['echo', 'a\0b']))).message).toContain('NUL in argument 1');
  expect((await failure(shell('true', { env: { A: 'a\0b' } }))).message).toContain('NUL in variable "A"');
  expect((await failure(shell('true', { env: { 'A=B': 'c' } }))).message).toContain('found "A=B"');
  expect((await failure(shell('true', { cwd: `${folder}\0` }))).message).toContain('NUL in the folder');
  expect((await failure(shell('true', { user: 'root' }))).code).toBe('unsupported');
  expect((await failure(shell('true', { tty: { columns: 80, rows: 24 } }))).code).toBe('unsupported');
});

it('takes a large environment, and says so when it is too large', async () => {
  const big = 'x'.repeat(120 * 1024);
  const handle = shell('echo ${#BIG}', { env: { PATH, BIG: big } });
  await handle.result;
  expect(handle.output.stdout).toBe(`${big.length}\n`);
  const env = Object.fromEntries(Array.from({ length: 40 }, (_, index) => [`BIG${index}`, big]));
  const { code, message } = await failure(shell('true', { env }));
  expect([code, message]).toEqual(['plan', expect.stringContaining('of which 122')]);
  expect(message).not.toContain('xxx');
  expect(await shell('exit 3').result).toEqual({ kind: 'exited', code: 3 });
});

it('carries 300 MB of output without holding it', { timeout: 60_000 }, async () => {
  const script = `
    const { createHash } = require('node:crypto'); const { writeSync } = require('node:fs');
    const hash = createHash('sha256'); const chunk = Buffer.alloc(1 << 20);
    for (let i = 0; i < 300; i++) { require('node:crypto').randomFillSync(chunk); hash.update(chunk);
      for (let at = 0; at < chunk.length;) at += writeSync(1, chunk, at); }
    writeSync(2, hash.digest('hex'));`;
  const { createHash } = await import('node:crypto');
  const hash = createHash('sha256');
  let bytes = 0;
  const before = process.memoryUsage.rss();
  let peak = 0;
  const stdout = (chunk: Uint8Array): void => {
    hash.update(chunk);
    bytes += chunk.length;
    peak = Math.max(peak, process.memoryUsage.rss());
  };
  const handle = start([process.execPath, '-e', script], { stdout });
  expect(await handle.result).toEqual({ kind: 'exited', code: 0 });
  expect([bytes, hash.digest('hex')]).toEqual([300 * 1024 * 1024, handle.output.stderr]);
  // When the garbage of this process is collected is not ours to say: half of what passed is far from holding it.
  expect(peak - before).toBeLessThan(150 * 1024 * 1024);
});

it('blocks the process while the sink is slow', async () => {
  const gate = Promise.withResolvers<void>();
  let bytes = 0;
  const file = path.join(folder, 'written');
  const script = `const fs = require('node:fs'); const chunk = Buffer.alloc(65536); let n = 0;
    for (let i = 0; i < 400; i++) { for (let at = 0; at < chunk.length;) at += fs.writeSync(1, chunk, at); fs.writeFileSync(${JSON.stringify(file)}, String(++n)); }`;
  const handle = start([process.execPath, '-e', script], {
    stdout: async (chunk) => {
      bytes += chunk.length;
      await gate.promise;
    },
  });
  let last = -1;
  // Until the number does not change any more between two looks that are far apart.
  await expect
    .poll(
      async () => {
        const now = Number(await readFile(file, 'utf8').catch(() => '0'));
        const isSame = now > 0 && now === last;
        last = now;
        return isSame;
      },
      { interval: 500, timeout: 10_000 },
    )
    .toBe(true);
  expect(last * 65_536).toBeLessThan(1024 * 1024);
  gate.resolve();
  expect(await handle.result).toEqual({ kind: 'exited', code: 0 });
  expect(bytes).toBe(400 * 65_536);
});

it('feeds 100 MB of input and survives a process that does not want it', { timeout: 60_000 }, async () => {
  const chunks = 100;
  const source = async function* (): AsyncGenerator<Uint8Array> {
    for (let index = 0; index < chunks; index++) yield Buffer.alloc(1024 * 1024);
  };
  const counting = shell('wc -c', { stdin: source() });
  await counting.result;
  expect(Number(counting.output.stdout)).toBe(chunks * 1024 * 1024);
  expect(await shell('exit 4', { stdin: source() }).result).toEqual({ kind: 'exited', code: 4 });
  expect(await shell('exec 0<&-; exit 5', { stdin: source() }).result).toEqual({ kind: 'exited', code: 5 });
  expect(await shell('exit 6', { stdin: silent() }).result).toEqual({ kind: 'exited', code: 6 });
});

it('settles soon when a child in the background keeps the output open, and lets it live', async () => {
  const handle = shell('(sleep 600.25; echo late) & echo early');
  const begun = performance.now();
  expect(await handle.result).toEqual({ kind: 'exited', code: 0 });
  expect(performance.now() - begun).toBeLessThan(5000);
  expect([handle.output.stdout, count('sleep 600.25')]).toEqual(['early\n', 1]);
  killAll('sleep 600.25');
});

const noisy = 'head -c 60000 /dev/zero; (while :; do echo x; sleep 0.01; done) & exit 9';

it('takes all that was written before the end, also with a slow sink and a child in the background', async () => {
  let bytes = 0;
  const handle = shell(noisy, {
    stdout: async (chunk) => {
      bytes += chunk.length;
      await new Promise((resolve) => void setTimeout(resolve, 20));
    },
  });
  const begun = performance.now();
  expect(await handle.result).toEqual({ kind: 'exited', code: 9 });
  expect(performance.now() - begun).toBeLessThan(8000);
  expect(bytes).toBeGreaterThanOrEqual(60_000);
  killAll(`/bin/sh -c ${noisy}`);
});

it('does not stop a child in the background by closing its output', async () => {
  const file = path.join(folder, 'alive');
  const handle = shell(`(sleep 3; head -c 200000 /dev/zero; echo ok > '${file}') & exit 0`);
  await handle.result;
  await expect.poll(() => readFile(file, 'utf8').catch(() => ''), { timeout: 20_000 }).toBe('ok\n');
});

it('stops the process when a sink fails, and passes the failure on', async () => {
  const handle = shell('echo x; sleep 601.5', {
    stdout: () => {
      throw new Error('disk full');
    },
  });
  expect(await failure(handle)).toEqual({ code: 'internal', message: expect.stringContaining('disk full') });
  expect(count('sleep 601.5')).toBe(0);
});

it('stops the process when the input fails', async () => {
  expect((await failure(shell('sleep 602.5', { stdin: failing() }))).message).toContain('no more');
  expect(count('sleep 602.5')).toBe(0);
});

async function stopped(
  script: string,
  request: Partial<ExecRequest> = {},
): Promise<{ result: ExecResult; output: Output }> {
  const controller = new AbortController();
  let text = '';
  const handle = shell(
    script,
    {
      ...request,
      stderr: (chunk) => {
        text += Buffer.from(chunk).toString();
        if (text.includes('ready')) controller.abort();
      },
    },
    { signal: controller.signal },
  );
  return { result: await handle.result, output: handle.output };
}

it('ends a process and the processes that it started', async () => {
  const { result } = await stopped('sleep 603.5 & sleep 603.5 & echo ready >&2; wait');
  expect([result, count('sleep 603.5')]).toEqual([{ kind: 'stopped', survivors: 0 }, 0]);
});

it.runIf(process.platform === 'linux')(
  'ends who ignores signals and left the group, its session and its parent',
  async () => {
    await writeFile(
      path.join(folder, 'stubborn.sh'),
      `trap '' INT TERM HUP\nsetsid sh -c "trap '' INT TERM HUP; (sleep 604.5; sleep 604.5) & sleep 604.5" < /dev/null > /dev/null 2>&1 &\nwhile :; do sleep 604.5; done\n`,
    );
    const script = `trap '' TERM; (setsid sh ./stubborn.sh < /dev/null > /dev/null 2>&1 &) ; while [ $(ps -A -o args= | grep -c '^sleep 604.5') -lt 3 ]; do sleep 0.1; done; echo ready >&2; while :; do sleep 604.5; done`;
    const { result } = await stopped(script);
    expect([result, count('sleep 604.5'), count('sh ./stubborn.sh')]).toEqual([
      { kind: 'stopped', survivors: 0 },
      0,
      0,
    ]);
  },
);

it('ends who dropped its environment while its parent or session is there', async () => {
  const script =
    'env -i /usr/bin/setsid /bin/sleep 605.5 & env -i /bin/sleep 605.5 & (env -i /bin/sleep 605.5 &); while [ $(ps -A -o args= | grep -c "^/bin/sleep 605.5") -lt 3 ]; do sleep 0.1; done; echo ready >&2; wait';
  const { result } = await stopped(script);
  expect([result, count('/bin/sleep 605.5')]).toEqual([{ kind: 'stopped', survivors: 0 }, 0]);
});

it('goes through the stages in order, and delivers what is written meanwhile', async () => {
  const script = `trap 'echo int' INT; trap 'echo term; sleep 0.1; echo bye' TERM; echo ready >&2; while :; do sleep 0.05; done`;
  const { result, output } = await stopped(script, {
    stop: [
      { signal: 'SIGINT', graceMs: 700 },
      { signal: 'SIGTERM', graceMs: 700 },
      { signal: 'SIGKILL', graceMs: 0 },
    ],
  });
  expect([result, output.stdout]).toEqual([{ kind: 'stopped', survivors: 0 }, 'int\nterm\nbye\n']);
});

it('says stopped, and not how, when the process ends by itself in its grace', async () => {
  const begun = performance.now();
  const { result, output } = await stopped(
    `trap 'echo tidy; exit 0' INT; echo ready >&2; while :; do sleep 0.05; done`,
    {
      stop: [
        { signal: 'SIGINT', graceMs: 60_000 },
        { signal: 'SIGKILL', graceMs: 0 },
      ],
    },
  );
  expect([result, output.stdout]).toEqual([{ kind: 'stopped', survivors: 0 }, 'tidy\n']);
  expect(performance.now() - begun).toBeLessThan(20_000);
});

const unkind = `trap '' TERM; echo ready >&2; while :; do sleep 606.5 & wait; done`;

it('counts who survives when no stage kills', async () => {
  const { result } = await stopped(unkind, {
    stop: [{ signal: 'SIGTERM', graceMs: 300 }],
  });
  expect(result.kind === 'stopped' && result.survivors).toBeGreaterThan(0);
  killAll(`/bin/sh -c ${unkind}`);
  killAll('sleep 606.5');
});

it('stops although the sink never takes anything', async () => {
  const controller = new AbortController();
  const handle = shell(
    'while :; do echo y; done',
    {
      stdout: () => {
        controller.abort();
        return new Promise(() => {});
      },
    },
    { signal: controller.signal },
  );
  expect(await handle.result).toEqual({ kind: 'stopped', survivors: 0 });
});

it('does not start when it is cancelled before, and keeps the result when it is cancelled after', async () => {
  const file = path.join(folder, 'ran');
  expect(await shell(`touch '${file}'`, {}, { signal: AbortSignal.abort() }).result).toEqual({
    kind: 'stopped',
    survivors: 0,
  });
  await expect(readFile(file)).rejects.toThrow('ENOENT');
  const controller = new AbortController();
  const handle = shell('exit 8', {}, { signal: controller.signal });
  await handle.result;
  controller.abort();
  expect(await handle.result).toEqual({ kind: 'exited', code: 8 });
});

it('sends signals to the group while it runs', async () => {
  const handle = shell(`trap 'echo caught; exit 7' INT; echo ready; sleep 607.5; echo not here`);
  await expect.poll(() => handle.output.stdout).toBe('ready\n');
  await handle.signal?.('SIGINT');
  expect(await handle.result).toEqual({ kind: 'exited', code: 7 });
  expect(handle.output.stdout).toBe('ready\ncaught\n');
  await handle.signal?.('SIGINT');
  await expect(handle.signal?.('SIGNONE')).rejects.toThrow('found "SIGNONE"');
});

it('leaves nothing behind after fifty processes', { timeout: 60_000 }, async () => {
  await shell('true').result;
  const before = process.getActiveResourcesInfo().length;
  for (let index = 0; index < 50; index++) expect(await shell('echo x').result).toEqual({ kind: 'exited', code: 0 });
  await expect.poll(() => process.getActiveResourcesInfo().length).toBeLessThanOrEqual(before + 1);
});

it('lists this very process, and tells when it started', async () => {
  const table = processTable();
  const entries = await table.list('FJR_NOBODY=has-this');
  const own = entries.find((entry) => entry.pid === process.pid);
  expect([own?.isMarked, own?.parentPid, own?.started]).toEqual([
    false,
    process.ppid,
    await table.startOf(process.pid),
  ]);
  expect(await table.startOf(0x3fffff)).toBeUndefined();
  expect(isPosix).toBe(true);
});

it('runs in a folder with a long and odd name, over a symlink as well', async () => {
  const odd = path.join(folder, `ö 'q" $x ${'n'.repeat(200)}`);
  await mkdir(odd);
  await chmod(odd, 0o700);
  const handle = start(['/bin/pwd'], { cwd: odd });
  await handle.result;
  expect(handle.output.stdout).toBe(`${odd}\n`);
});
