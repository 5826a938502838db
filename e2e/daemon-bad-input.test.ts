import { readFile, writeFile } from 'node:fs/promises';
import {
  eventually,
  type FakeForgejo,
  type Fault,
  shiftedClock,
  startFakeForgejo,
  webPage,
} from '@forgejo-runner/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BuiltRunner, buildRunner } from './built-runner.ts';
import { openHome, type RunnerHome, type StartedRunner } from './daemon-runner.ts';

const opened = new AsyncDisposableStack();
let built: BuiltRunner;

beforeAll(async () => {
  built = opened.use(await buildRunner());
});

afterAll(() => opened.disposeAsync());

function openRunner(forgejo: FakeForgejo): Promise<RunnerHome> {
  return openHome({ command: built.command, connections: { main: { forgejo } } });
}

/** Waits for a line of the runner's log with all of these in it. */
async function says(runner: StartedRunner, ...words: readonly RegExp[]): Promise<void> {
  const isSaid = (): boolean =>
    runner
      .output()
      .split('\n')
      .some((line) => words.every((word) => word.test(line)));
  try {
    await eventually(isSaid, { timeoutMs: 60_000 });
  } catch (error) {
    throw new Error(`expected ${words.join(', ')} in one line of:\n${runner.output()}`, { cause: error });
  }
}

/** Of an instance that answers it would be asked ten times in a second. */
async function expectPatience(forgejo: FakeForgejo): Promise<void> {
  const asked = forgejo.record.count();
  await new Promise((resolve) => setTimeout(resolve, 2000));
  expect(forgejo.record.count() - asked).toBeLessThan(6);
}

const job = '{ runs-on: linux, steps: [{ run: echo hello }] }';

describe('an instance that is not what it should be', () => {
  it.each<[string, Fault, readonly RegExp[]]>([
    ['a web page', webPage(200), [/FRR703/, /web page|something that answers/]],
    ['a web page that nobody finds', webPage(404), [/FRR703/, /web page/]],
    ['a server of another kind', { kind: 'answer', status: 404, body: 'no such path' }, [/FRR703/, /404/]],
  ])('is told of, and not asked over and over: %s', async (_, fault, words) => {
    await using forgejo = await startFakeForgejo();
    await using home = await openRunner(forgejo);
    forgejo.scenario.add({ fault, times: Number.POSITIVE_INFINITY });
    await using runner = home.start();
    await says(runner, ...words);
    await expectPatience(forgejo);
    expect(runner.isRunning()).toBe(true);
  });

  it.each<[string, Fault, readonly RegExp[]]>([
    ['a proxy before it', { kind: 'answer', status: 502, body: 'bad gateway' }, [/FRR701/, /502/]],
    ['half of an answer', { kind: 'altered', alter: () => '{"tasksVersion":' }, [/FRR704/]],
    ['an answer of the wrong shape', { kind: 'altered', alter: () => '{"tasksVersion":[]}' }, [/FRR704/]],
    [
      'a database that is locked',
      { kind: 'error', code: 'internal', message: 'database is locked' },
      [/FRR705/, /database is locked/],
    ],
  ])('is asked ever more seldom, and served again when it is itself: %s', async (_, fault, words) => {
    await using forgejo = await startFakeForgejo();
    await using home = await openRunner(forgejo);
    forgejo.scenario.add({ fault, times: Number.POSITIVE_INFINITY });
    await using runner = home.start();
    await says(runner, ...words);
    await expectPatience(forgejo);
    forgejo.scenario.clear();
    const added = forgejo.addJob(job);
    expect(await added.ended({ timeoutMs: 120_000 })).toBe('success');
    expect(runner.isRunning()).toBe(true);
  });

  it('does not know the runner: it is said, and not asked over and over', async () => {
    await using forgejo = await startFakeForgejo();
    await using home = await openRunner(forgejo);
    const uuid = forgejo.runners()[0]?.uuid ?? '';
    await using runner = home.start();
    const added = forgejo.addJob(job);
    expect(await added.ended()).toBe('success');
    forgejo.deleteRunner(uuid);
    await says(runner, /FRR702/, /unregistered runner/);
    await expectPatience(forgejo);
    expect(runner.isRunning()).toBe(true);
    // The token is nobody's business.
    expect(runner.output()).not.toContain(forgejo.runners()[0]?.token);
  });

  it('refuses the token from the start: it is said once, with what to do, and jobs run as soon as it is right', async () => {
    await using forgejo = await startFakeForgejo();
    await using home = await openRunner(forgejo);
    const token = forgejo.runners()[0]?.token ?? '';
    const config = await readFile(home.folder.join('config.yml'), 'utf8');
    await writeFile(home.folder.join('config.yml'), config.replace(token, 'f'.repeat(40)));
    await using wrong = home.start();
    await says(wrong, /FRR702/, /check uuid and token/);
    await expectPatience(forgejo);
    expect(wrong.isRunning()).toBe(true);
    expect(wrong.output().match(/FRR702/g)).toHaveLength(1);
    expect(wrong.output()).not.toContain('f'.repeat(40));
    wrong.signal('SIGTERM');
    expect((await wrong.finished).code).toBe(0);
    await writeFile(home.folder.join('config.yml'), config);
    await using right = home.start();
    expect(await forgejo.addJob(job).ended()).toBe('success');
    expect(right.output()).not.toContain('FRR702');
  });

  it('lives in another time: it is said, and jobs run', async () => {
    await using forgejo = await startFakeForgejo({ clock: shiftedClock(-3_600_000) });
    await using home = await openRunner(forgejo);
    await using runner = home.start();
    const added = forgejo.addJob(job);
    expect(await added.ended()).toBe('success');
    await says(runner, /clocks of runner and instance differ/);
  });
});

describe('a task that cannot be run', () => {
  const utf8 = new TextEncoder();
  it.each<[string, Uint8Array, RegExp]>([
    ['nothing', new Uint8Array(), /expected a task with a workflow of one job/],
    ['bytes that are no text', Uint8Array.of(0xff, 0xfe, 0x00), /not UTF-8/],
    ['text that is no YAML', utf8.encode('jobs: [\n'), /YAML|workflow/],
    ['YAML of another kind', utf8.encode('- a\n- b\n'), /workflow|mapping/],
    [
      'two jobs',
      utf8.encode('jobs: { a: { runs-on: linux, steps: [] }, b: { runs-on: linux, steps: [] } }'),
      /one job/,
    ],
    ['an alias bomb', utf8.encode(aliasBomb()), /limit|at most|too/i],
    ['more than anybody writes', utf8.encode(`# ${'x'.repeat(2 * 1024 * 1024)}\n`), /at most|characters/],
  ])('fails with the reason in its log, and the next one runs: %s', async (_, payload, reason) => {
    await using forgejo = await startFakeForgejo();
    await using home = await openRunner(forgejo);
    await using runner = home.start();
    const bad = forgejo.addJob({ workflow: payload, runsOn: ['linux'] });
    expect(await bad.ended()).toBe('failure');
    expect(bad.texts().join('\n')).toMatch(reason);
    expect(bad.isArchived()).toBe(true);
    const good = forgejo.addJob(job);
    expect(await good.ended()).toBe('success');
    expect(runner.isRunning()).toBe(true);
  });

  it('is larger than the runner takes: it is said, and the runner stays', async () => {
    await using forgejo = await startFakeForgejo();
    await using home = await openRunner(forgejo);
    await using runner = home.start();
    const huge = forgejo.addJob({ workflow: job, vars: { HUGE: 'x'.repeat(40 * 1024 * 1024) } });
    await says(runner, /FRR704/, /larger/);
    huge.cancel();
    expect(runner.isRunning()).toBe(true);
  });
});

function aliasBomb(): string {
  const levels = Array.from({ length: 12 }, (_, index) => {
    const before = index === 0 ? 'x' : `*a${index - 1}`;
    return `a${index}: &a${index} [${Array.from({ length: 10 }, () => before).join(', ')}]`;
  });
  return `${levels.join('\n')}\njobs: { a: { runs-on: linux, steps: [] } }\n`;
}
