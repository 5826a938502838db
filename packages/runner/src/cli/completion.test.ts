import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { fakeIo } from '../../test/fake-io.ts';
import { main } from '../main.ts';

async function scriptFor(shell: string): Promise<string> {
  const { io, stdout } = fakeIo();
  expect(await main(['completion', shell], io)).toBe(0);
  return stdout();
}

/** What bash offers for the last of the words. */
async function complete(...words: string[]): Promise<readonly string[]> {
  const call = `COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _forgejo_runner; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const script = `${await scriptFor('bash')}\n${call}`;
  const output = execFileSync('bash', ['-c', script, 'bash', 'forgejo-runner', ...words], { encoding: 'utf8' });
  return output.split('\n').filter((line) => line !== '');
}

it.each([
  [['ex'], ['exec']],
  [['list-backends', '--j'], ['--json']],
  [
    ['exec', '--container-cap'],
    ['--container-cap-add', '--container-cap-drop'],
  ],
  [['exec', '--json', '--dr'], ['--dryrun']],
  [['exec', '--workflows', ''], []],
  [['-c', 'exec', '--vers'], []],
  [['--vers'], ['--version']],
  [['completion', ''], expect.arrayContaining(['bash', 'zsh', 'fish'])],
  [['help', 'val'], ['validate']],
])('completes %j in bash', async (words, expected) => {
  expect(await complete(...words)).toEqual(expected);
});

it('offers every command', async () => {
  const { io, stdout } = fakeIo();
  await main(['--help'], io);
  const commands = [...stdout().matchAll(/^ {2}([a-z]+(?:-[a-z]+)*) /gm)].map(([, name]) => name);
  expect(commands).toContain('exec');
  const offered = (await complete('')).filter((word) => !word.startsWith('-'));
  expect(offered.toSorted()).toEqual(commands.toSorted());
});

it.each(['zsh', 'fish'])('writes commands and flags for %s', async (shell) => {
  const script = await scriptFor(shell);
  expect(script).toContain(shell === 'zsh' ? "'exec:run workflows on this machine'" : "-f -a exec -d 'run workflows");
  expect(script).toContain(shell === 'zsh' ? "'--detect-event:take" : "-l detect-event -d 'take");
  expect(script).toContain(shell === 'zsh' ? "'-C:folder" : '-l directory -s C -r -d');
  // Quotes are even on every line.
  const bare = script.replaceAll("'\\''", '').replaceAll("\\'", '');
  expect(bare.split('\n').filter((line) => (line.match(/'/g)?.length ?? 0) % 2 === 1)).toEqual([]);
});

it('refuses another shell', async () => {
  const { io, stderr } = fakeIo();
  expect(await main(['completion', 'tcsh'], io)).toBe(64);
  expect(stderr()).toContain('Allowed choices are bash, zsh, fish');
});
