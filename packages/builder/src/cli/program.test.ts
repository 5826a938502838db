import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { manifestKeys } from '../manifest/manifest-schema.ts';
import { type Commands, defineProgram, runProgram } from './program.ts';

interface Called {
  readonly command: string;
  readonly flags: object;
  readonly args: readonly string[];
}

/** Commands that only say how they were called. */
function recorder(note: (called: Called) => void): Commands {
  const answer = {
    get:
      (_: object, command: string) =>
      (...values: readonly unknown[]) => {
        const flags = values.find((value) => typeof value === 'object' && !Array.isArray(value)) as object;
        const args = values.filter((value) => value !== flags).flat() as string[];
        note({ command, flags, args });
        return Promise.resolve(0);
      },
  };
  // Every command is a function of flags and arguments.
  return new Proxy({}, answer) as Commands;
}

async function parse(...argv: readonly string[]): Promise<Called | undefined> {
  let called: Called | undefined;
  await runProgram(
    argv,
    '1.2.3',
    recorder((one) => (called = one)),
  );
  return called;
}

it('builds when no command is named', async () => {
  expect(await parse('--with', 'a', '--with', 'b@^1', '--sea', '-o', 'x')).toMatchObject({
    command: 'build',
    flags: { with: ['a', 'b@^1'], sea: true, output: 'x', logFormat: 'auto' },
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
  [['cache', 'eat'], 'cache "eat": expected ls, prune or verify'],
  [['surplus'], "too many arguments for 'build'. Expected 0 arguments but got 1: surplus."],
])('refuses %j', async (argv, message) => {
  await expect(parse(...argv)).rejects.toMatchObject({
    code: 'FRB101',
    message: expect.stringContaining(message) as string,
  });
});

it.each([
  [['init', '--with', 'a'], 'init', []],
  [['add', 'a', 'b@^1'], 'add', ['a', 'b@^1']],
  [['remove', 'host'], 'remove', ['host']],
  [['suggest', '--config', 'x.yml'], 'suggest', []],
  [['fetch', '--offline'], 'fetch', []],
  [['vendor'], 'vendor', []],
  [['update', 'a', 'b'], 'update', ['a', 'b']],
  [['outdated'], 'outdated', []],
  [['why', 'a'], 'why', ['a']],
  [['pack', '--release', '1.2.3'], 'pack', []],
  [['cache', 'ls'], 'cache', ['ls']],
  [['search', 'k8s'], 'search', ['k8s']],
  [['info', 'a@1'], 'info', ['a@1']],
])('takes %j for the command %s', async (argv, command, args) => {
  expect(await parse(...argv)).toMatchObject({ command, args });
});

const program = defineProgram(
  '1.2.3',
  recorder(() => undefined),
  async () => undefined,
);
const page = readFileSync(new URL('../../../../docs/reference/cli-builder.md', import.meta.url), 'utf8');

it('has every flag in the reference, and no other', () => {
  const rows = [...page.matchAll(/^\| `(-[^`]+)` \|/gm)].map((row) => row[1]);
  const flags = program.commands.flatMap((command) => command.options.map((option) => option.flags));
  const all = new Set([...flags, '-V, --version', '-h, --help']);
  // Commands may have flags of one name, each with a row of its own.
  expect([...new Set(rows)].toSorted()).toEqual([...all].toSorted());
});

it('has every command in the reference', () => {
  const shown = [...page.matchAll(/^forgejo-runner-build \[?([a-z]+)/gm)].map((line) => line[1]);
  expect(shown).toEqual(program.commands.map((command) => command.name()));
});

it('has a flag for every key of a manifest', () => {
  const build = program.commands.find((command) => command.name() === 'build');
  const names = build?.options.map((option) => option.name().replace(/^no-/, ''));
  const without = manifestKeys.filter((key) => names?.includes(key) !== true);
  // Files extend files, and a name belongs to what is shipped.
  expect(without).toEqual(['extends', 'distribution']);
});
