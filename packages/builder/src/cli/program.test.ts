import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { type BuildFlags, type CommonFlags, programFlags, runProgram } from './program.ts';

interface Called {
  readonly command: string;
  readonly flags: CommonFlags;
  readonly args: readonly string[];
}

async function parse(...argv: readonly string[]): Promise<Called | undefined> {
  let called: Called | undefined;
  await runProgram(argv, '1.2.3', {
    build: async (flags: BuildFlags) => {
      called = { command: 'build', flags, args: [] };
      return Promise.resolve(0);
    },
    run: async (flags, args) => {
      called = { command: 'run', flags, args };
      return Promise.resolve(0);
    },
  });
  return called;
}

it('builds when no command is named', async () => {
  expect(await parse('--with', 'a', '--with', 'b@^1', '--sea', '-o', 'x')).toMatchObject({
    command: 'build',
    flags: { with: ['a', 'b@^1'], sea: true, output: 'x', smokeRun: true, logFormat: 'auto' },
  });
  expect(await parse('build', '--no-smoke-run')).toMatchObject({ command: 'build', flags: { smokeRun: false } });
});

it('hands what follows -- to the runner', async () => {
  expect(await parse('run', '--with', 'a', '--', 'exec', '--with', '-j', 'x')).toEqual({
    command: 'run',
    flags: { with: ['a'], logFormat: 'auto' },
    args: ['exec', '--with', '-j', 'x'],
  });
});

it.each([
  [['--wiht', 'a'], "unknown option '--wiht'"],
  [['--with'], "option '--with <package>' argument missing"],
  [
    ['--log-format', 'xml'],
    "option '--log-format <format>' argument 'xml' is invalid. Allowed choices are auto, plain, json.",
  ],
  [['surplus'], "too many arguments for 'build'. Expected 0 arguments but got 1: surplus."],
])('refuses %j', async (argv, message) => {
  await expect(parse(...argv)).rejects.toMatchObject({
    code: 'FRB101',
    message: expect.stringContaining(message) as string,
  });
});

it('has every flag in the reference, and no other', () => {
  const page = readFileSync(new URL('../../../../docs/reference/cli-builder.md', import.meta.url), 'utf8');
  const rows = [...page.matchAll(/^\| `([^`]+)` \|/gm)].map((row) => row[1]);
  const { common, build } = programFlags();
  expect(rows).toEqual([...common, ...build, '-V, --version', '-h, --help']);
});
