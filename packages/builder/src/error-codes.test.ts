import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { type Commands, defineProgram } from './cli/program.ts';
import { errorCodes } from './error-codes.ts';

const page = readFileSync(new URL('../../../docs/reference/errors-builder.md', import.meta.url), 'utf8');

it('has a row in the reference for every code, and a code for every row', () => {
  const rows = [...page.matchAll(/^\| (FRB\d{3}) \| (.*?) \| (.*?) \| (.*?) \| (\d) \|$/gm)].map((row) => row.slice(1));
  const table = Object.entries(errorCodes).map(([code, { title, cause, next, exit }]) => [
    code,
    title,
    cause,
    next,
    String(exit),
  ]);
  expect(rows.map((row) => row.map((cell) => cell.replaceAll('\\|', '|')))).toEqual(table);
});

it('has codes that say which exit code they mean', () => {
  const exits: Readonly<Record<string, readonly number[]>> = {
    1: [2],
    2: [2],
    3: [3],
    4: [4],
    5: [5, 7],
    6: [6],
    7: [8],
  };
  for (const [code, { exit }] of Object.entries(errorCodes)) expect(exits[code[3] ?? '']).toContain(exit);
});

it('names flags only that the command has, or those of another program with a word of it', () => {
  // Nothing is called.
  const program = defineProgram('1.0.0', {} as Commands, async () => undefined);
  const own = program.commands.flatMap((command) => command.options.map((option) => option.long ?? ''));
  const foreign = ['login --registry', '--legacy-peer-deps', 'node --build-sea', 'supports --build-sea'];
  const known: readonly (string | undefined)[] = [...own, ...foreign, 'forgejo-runner-build --help'];
  const unknown = Object.values(errorCodes).flatMap(({ cause, next }) =>
    [...`${cause}; ${next}`.matchAll(/(?:\S+ )?(--[a-z-]+)/g)]
      .filter(([words, flag]) => !known.includes(flag) && !known.includes(words))
      .map(([words]) => words),
  );
  expect(unknown).toEqual([]);
});
