import { readdir, readFile, symlink } from 'node:fs/promises';
import { openTempFolder } from '@forgejo-runner/testkit';
import { expect, it, vi } from 'vitest';
import { execInFolder, gitIn } from './run-main.ts';

const { exec, git, repository, workflow } = execInFolder();

it('copies what git has and would take, whatever it is called', async () => {
  git('init', '-q');
  await repository().write({
    '.gitignore': 'ignored\nbuild/\n',
    ignored: 'x',
    'build/out': 'x',
    tracked: 'x',
    'new line\nand ünïcode 🔑': 'x',
    ' -leading': 'x',
    'deep/er/file': 'x',
  });
  await symlink('nowhere/at all', repository().join('dangling'));
  git('add', 'tracked', '.gitignore', 'deep');
  git('commit', '-qm', 'first');
  await workflow(
    '- run: find . -not -path "./.git/*" -mindepth 1 | sort | tr "\\n" "|"; readlink dangling; git log --oneline | wc -l; git status --short | wc -l',
  );
  const { stdout } = await exec();
  expect(stdout).toContain(
    './ -leading|./.forgejo|./.forgejo/workflows|./.forgejo/workflows/w.yml|./.git|./.gitignore|./dangling|./deep|./deep/er|./deep/er/file|./new line|./tracked|and ünïcode 🔑|nowhere/at all',
  );
  expect((await exec('--use-gitignore=false')).stdout).toContain('./build/out');
});

it('copies submodules and checkouts inside, without what they ignore', async () => {
  await using other = await openTempFolder();
  await other.write({ 'in-submodule': 'x', '.gitignore': 'skipped' });
  for (const args of [
    ['init', '-q'],
    ['add', '.'],
    ['-c', 'user.name=me', '-c', 'user.email=m@e', 'commit', '-qm', 'x'],
  ])
    gitIn(other.path, args);
  git('init', '-q');
  git('submodule', '--quiet', 'add', other.path, 'sub');
  await repository().write({
    'sub/skipped': 'x',
    'sub/changed': 'x',
    'nested/file': 'x',
    'nested/skipped': 'x',
    'nested/.gitignore': 'skipped',
  });
  gitIn(repository().join('nested'), ['init', '-q']);
  await workflow('- run: ls -A sub nested | tr "\\n" "|"; git -C sub log --oneline | wc -l');
  const { stdout } = await exec();
  expect(stdout).toContain('nested:|.git|.gitignore|file||sub:|.git|.gitignore|changed|in-submodule|');
});

it('copies a folder that is no checkout as it is', async () => {
  await repository().write({ '.gitignore': 'ignored', ignored: 'x', 'a/b': 'x' });
  await workflow('- run: ls -A | tr "\\n" "|"');
  expect((await exec()).stdout).toContain('.forgejo|.gitignore|a|ignored|');
});

it('does not copy the folders of jobs into themselves, for somebody who works in the home folder', async () => {
  await repository().write({ 'home/cache/.keep': '', file: 'x' });
  vi.stubEnv('TMPDIR', repository().join('home/cache'));
  await workflow('- run: find . -type f | sort | tr "\\n" "|"', 'strategy: { matrix: { n: [1, 2] } }');
  const { stdout, code } = await exec();
  expect([code, stdout]).toEqual([0, expect.stringContaining('./.forgejo/workflows/w.yml|./file|')]);
  expect(await readdir(repository().join('home/cache'))).toEqual(['.keep']);
});

it('takes a large payload, and refuses one that is no object', async () => {
  await workflow('- run: wc -c < $GITHUB_EVENT_PATH; echo ${{ github.event.last }}');
  await repository().write({
    'event.json': JSON.stringify({ big: 'x'.repeat(20_000_000), last: 'end' }),
    'bad.json': '[1]',
  });
  const { stdout, code } = await exec('-e', 'event.json');
  expect(stdout).toMatch(/2000\d{4}\n[^]*end/);
  expect(code).toBe(0);
  expect(await exec('-e', 'bad.json')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('error FRR103') as string,
  });
});

it('leaves the folder as it was', async () => {
  await workflow('- run: rm -rf file .git; echo changed > other');
  await repository().write({ file: 'mine' });
  await exec();
  expect(await readFile(repository().join('file'), 'utf8')).toBe('mine');
  expect((await readdir(repository().path)).toSorted()).toEqual(['.forgejo', 'file']);
});
