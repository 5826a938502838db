import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually, openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BuiltRunner, buildRunner } from './built-runner.ts';
import { processesWith } from './processes.ts';
import { type Finished, type Running, startProgram } from './run-program.ts';

const opened = new AsyncDisposableStack();
let runner: BuiltRunner;

beforeAll(async () => {
  runner = opened.use(await buildRunner());
});

afterAll(() => opened.disposeAsync());

/** A user's home and project with one workflow. */
async function openProject(workflow: string): Promise<TempFolder> {
  const folder = await openTempFolder();
  await folder.write({
    'home/.keep': '',
    'tmp/.keep': '',
    'project/.forgejo/workflows/a.yml': workflow,
  });
  return folder;
}

function start(folder: TempFolder, ...flags: readonly string[]): Running {
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: folder.join('home'),
    TMPDIR: folder.join('tmp'),
    NO_COLOR: '1',
    LANG: 'C.UTF-8',
  };
  const command = [...runner.command, 'exec', '-P', 'test=host', ...flags] as const;
  return startProgram(command, { cwd: folder.join('project'), env });
}

async function exec(workflow: string, ...flags: readonly string[]): Promise<Finished> {
  await using folder = await openProject(workflow);
  return await start(folder, ...flags).finished;
}

const steps = (text: string): string => `on: push\njobs:\n  test:\n    runs-on: test\n    steps:\n${text}`;

describe('what bad input gets', () => {
  it('names an unknown label, its place and the labels that are there', async () => {
    const { code, stdout } = await exec(
      'on: push\njobs:\n  test:\n    runs-on: nowhere\n    steps:\n      - run: echo never\n',
    );
    expect(stdout).toContain(
      'Error: .forgejo/workflows/a.yml:4:14: expected a label of this runner in runs-on, found "nowhere"; this runner has "test"\n',
    );
    expect(stdout).toContain('--platform nowhere=host');
    expect(code).toBe(1);
  });

  it('names the place of a syntax error', async () => {
    const { code, stdout, stderr } = await exec(steps('      - run: "never closed\n'));
    expect(stderr).toBe(
      'error FRR301: the workflow is not valid YAML\n  .forgejo/workflows/a.yml:7:1: missing closing "quote\n',
    );
    expect(stdout).toBe('');
    expect(code).toBe(1);
  });

  it('names a shell that is not there, and goes on with always()', async () => {
    const { code, stdout } = await exec(
      steps(
        '      - run: echo never\n        shell: no-such-shell {0}\n      - run: echo "goes on"\n        if: always()\n',
      ),
    );
    expect(stdout).toContain(
      'Error: .forgejo/workflows/a.yml:7:16: expected the shell "no-such-shell" in the environment, found no such program on its PATH\n',
    );
    expect(stdout).toMatch(/^\s+goes on$/m);
    expect(code).toBe(1);
  });

  it('names a backend that is not built in', async () => {
    const { code, stderr } = await exec(steps('      - run: echo never\n'), '-P', 'test=hosst');
    expect(stderr).toMatch(/^error FRR20[23]: /);
    expect(stderr).toContain('this runner has no backend "hosst"');
    expect(stderr).toContain('did you mean "host"');
    expect(code).toBe(1);
  });

  it.each([
    ['a folder without workflows', ['-W', 'nothing-here']],
    ['an event that no workflow names', ['-E', 'release']],
    ['a job that is not there', ['-j', 'tset']],
    ['a flag that is not there', ['--worklfows', 'x']],
  ])('explains %s and runs nothing', async (_, flags) => {
    const { code, stdout, stderr } = await exec(steps('      - run: echo never\n'), ...flags);
    expect(stderr).toMatch(/^error FRR\d{3}: .+\n {2}.*expected|^error FRR101/);
    expect(stdout).not.toContain('never');
    expect(code).not.toBe(0);
  });
});

/** A step that does not want to end, with children in its group and in a session of their own. */
function stubborn(mark: string): string {
  const script = [
    `trap '' TERM`,
    `trap 'echo interrupted; exit 3' INT`,
    `sleep ${mark}1 > /dev/null 2>&1 &`,
    `setsid sleep ${mark}2 > /dev/null 2>&1 &`,
    'echo on',
    `sleep ${mark}3`,
  ].map((line) => `          ${line}\n`);
  return steps(`      - run: |\n${script.join('')}      - run: echo "cleaned up"\n        if: always()\n`);
}

/** A number of seconds that no other process of the machine sleeps. */
const mark = (): string => String(1_000_000 + Math.floor(Math.random() * 1_000_000_000));

const jobFolders = async (folder: TempFolder): Promise<readonly string[]> => {
  const parent = folder.join('home', '.cache', 'forgejo-runner-host');
  return (await readdir(parent).catch(() => [])).filter((name) => name !== 'tool_cache');
};

describe('what is left of exec', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('is nothing after %s', async (signal) => {
    const seconds = mark();
    await using folder = await openProject(stubborn(seconds));
    const running = start(folder);
    await eventually(() => /^\s+on$/m.test(running.stdout()), { what: 'the step to run', timeoutMs: 30_000 });
    expect(await jobFolders(folder)).toHaveLength(1);
    process.kill(running.pid, signal);
    const { code, stdout } = await running.finished;
    expect(code).toBe(signal === 'SIGINT' ? 130 : 143);
    expect(stdout).toContain('interrupted');
    expect(stdout).toMatch(/^\s+cleaned up$/m);
    expect(await processesWith(`sleep ${seconds}`)).toEqual([]);
    expect(await jobFolders(folder)).toEqual([]);
    expect(await readdir(folder.join('tmp'))).toEqual(['.keep']);
  });

  it('is nothing after a Ctrl-C that reaches the whole group of the terminal', async () => {
    const seconds = mark();
    await using folder = await openProject(stubborn(seconds));
    const running = start(folder);
    await eventually(() => /^\s+on$/m.test(running.stdout()), { what: 'the step to run', timeoutMs: 30_000 });
    process.kill(-running.pid, 'SIGINT');
    const { code, stdout } = await running.finished;
    expect(code).toBe(130);
    expect(stdout).toMatch(/^\s+cleaned up$/m);
    expect(await processesWith(`sleep ${seconds}`)).toEqual([]);
    expect(await jobFolders(folder)).toEqual([]);
  });

  it('is swept by the next start after a SIGKILL, and nothing of a run that is alive', async () => {
    const [killed, alive] = [mark(), mark()];
    await using folder = await openProject(stubborn(killed));
    await folder.write({
      'project/other/alive.yml': stubborn(alive),
      'project/other/next.yml': steps('      - run: echo next\n'),
    });
    const first = start(folder);
    const second = start(folder, '-W', 'other/alive.yml');
    for (const run of [first, second]) {
      await eventually(() => /^\s+on$/m.test(run.stdout()), { what: 'both steps to run', timeoutMs: 30_000 });
    }
    process.kill(first.pid, 'SIGKILL');
    await first.finished;
    expect(await processesWith(`sleep ${killed}`)).not.toEqual([]);
    expect(await jobFolders(folder)).toHaveLength(2);
    const next = await start(folder, '-W', 'other/next.yml').finished;
    expect(next).toMatchObject({ code: 0 });
    expect(await processesWith(`sleep ${killed}`)).toEqual([]);
    expect(await processesWith(`sleep ${alive}`)).toHaveLength(3);
    expect(await jobFolders(folder)).toHaveLength(1);
    process.kill(second.pid, 'SIGINT');
    expect(await second.finished).toMatchObject({ code: 130 });
    expect(await jobFolders(folder)).toEqual([]);
  });

  it('is nothing of a background process when the job ends', async () => {
    const seconds = mark();
    await using folder = await openProject(steps(`      - run: setsid sleep ${seconds} > /dev/null 2>&1 &\n`));
    expect(await start(folder).finished).toMatchObject({ code: 0 });
    expect(await processesWith(`sleep ${seconds}`)).toEqual([]);
    expect(await jobFolders(folder)).toEqual([]);
  });

  it('is the folder that it ran in, as it was', async () => {
    await using folder = await openProject(steps('      - run: echo x > made-by-a-step && rm -rf .forgejo\n'));
    expect(await start(folder).finished).toMatchObject({ code: 0 });
    expect(await readdir(folder.join('project'))).toEqual(['.forgejo']);
    expect(await readdir(join(folder.path, 'project', '.forgejo', 'workflows'))).toEqual(['a.yml']);
  });
});
