import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';

const entry = `import { run } from ${JSON.stringify(new URL('../src/index.ts', import.meta.url).href)}; await run(process.argv);`;
const condition = '--conditions=@forgejo-runner/source';

let folder: string;
let silent: Server;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'run-'));
  // Takes connections and says nothing: git waits for it.
  silent = createServer();
  await once(silent.listen(0, '127.0.0.1'), 'listening');
});

afterEach(async () => {
  silent.close();
  await rm(folder, { recursive: true });
});

interface Started {
  readonly child: ChildProcess;
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>;
}

function start(...args: string[]): Started {
  return startEntry(entry, args);
}

function startEntry(source: string, args: readonly string[]): Started {
  const child = spawn(
    process.execPath,
    [condition, '--input-type=module', '-e', source, '--', 'forgejo-runner', ...args],
    {
      cwd: fileURLToPath(new URL('..', import.meta.url)),
      env: { ...process.env, TMPDIR: folder, XDG_STATE_HOME: join(folder, 'state') },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const read = async () => {
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
    const [code] = (await once(child, 'close')) as [number | null];
    return { code, ...output };
  };
  return { child, ended: read() };
}

it('answers in the process', async () => {
  expect(await start('--version').ended).toEqual({ code: 0, stdout: 'forgejo-runner version v1.0.0\n', stderr: '' });
  expect(await start('nothing').ended).toMatchObject({ code: 64, stdout: '' });
});

it.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('finishes in good order on %s', async (signal, code) => {
  const { port } = silent.address() as AddressInfo;
  const connected = once(silent, 'connection');
  const { child, ended } = start('validate', '--repository', `git://127.0.0.1:${port}/x`);
  await connected;
  child.kill(signal);
  expect(await ended).toEqual({ code, stdout: '', stderr: `interrupted by ${signal}\n` });
  expect(await readdir(folder)).toEqual([]);
});

it('heeds signals that came while it was loaded', async () => {
  const early = entry.replace('run(process.argv)', "run(process.argv, { takeEarlySignals: () => ['SIGTERM'] })");
  const { port } = silent.address() as AddressInfo;
  const { ended } = startEntry(early, ['validate', '--repository', `git://127.0.0.1:${port}/x`]);
  expect(await ended).toEqual({ code: 143, stdout: '', stderr: 'interrupted by SIGTERM\n' });
});

it('does not mind a reader that goes away', async () => {
  const { child, ended } = start('generate-config');
  child.stdout?.destroy();
  expect(await ended).toMatchObject({ stderr: '' });
});

it('ends at once on the third signal, whatever a backend is stuck in', async () => {
  const stuck = `
    import { factories } from '@forgejo-runner/core';
    const never = () => new Promise(() => {});
    const configSchema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } };
    const backend = {
      id: 'stuck', createEnvironment: never, sweep: never, health: never,
      resolveLabel: () => { console.log('resolving'); return never(); },
      [Symbol.asyncDispose]: () => { console.log('closing'); return never(); },
    };
    factories.register({ api: 1, id: 'stuck', description: '', configSchema, create: async () => backend });
    ${entry}`;
  await writeFile(join(folder, 'ci.yml'), 'on: push\njobs: { a: { runs-on: x, steps: [{ run: "true" }] } }\n');
  const { child, ended } = startEntry(stuck, ['exec', '-C', folder, '-W', join(folder, 'ci.yml'), '-P', 'x=stuck']);
  let output = '';
  child.stdout?.on('data', (text: string) => (output += text));
  await expect.poll(() => output, { timeout: 20_000 }).toContain('resolving');
  child.kill('SIGINT');
  await expect.poll(() => output, { timeout: 20_000 }).toContain('closing');
  child.kill('SIGTERM');
  child.kill('SIGHUP');
  // Which of the two comes last is the kernel's choice.
  expect([129, 143]).toContain((await ended).code);
});
