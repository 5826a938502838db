import { checkReport, eventually, type FakeJob, type Procedure, startFakeForgejo } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type BuiltRunner, buildRunner } from './built-runner.ts';
import { expectNothingLeft, openHome } from './daemon-runner.ts';
import { judgeJob } from './judge-job.ts';

const opened = new AsyncDisposableStack();
let built: BuiltRunner;

beforeAll(async () => {
  built = opened.use(await buildRunner());
});

afterAll(() => opened.disposeAsync());

/** Lines of a step that counts, as far as they go without a gap. */
function counted(job: FakeJob): number {
  const lines = job.texts().filter((text) => /^line \d+$/.test(text));
  expect(lines).toEqual(lines.map((_, index) => `line ${index + 1}`));
  return lines.length;
}

it('ends jobs of a runner that was killed, with every row that they wrote, and removes what they left', async () => {
  await using forgejo = await startFakeForgejo();
  await using home = await openHome({ command: built.command, connections: { main: { forgejo } } });
  const first = home.start();
  const job = forgejo.addJob(`
    runs-on: linux
    steps:
      - run: echo before
      - run: |
          setsid sleep 1000 &
          i=0
          while sleep 0.02; do i=$((i + 1)); echo "line $i"; done
      - run: echo never
  `);
  await eventually(() => job.texts().includes('line 20'), { timeoutMs: 60_000 });
  await first.kill();
  const before = counted(job);
  expect(await home.leftProcesses()).not.toEqual([]);
  expect(job.status()).toBe('running');
  await using second = home.start();
  expect(await job.ended()).toBe('failure');
  expect(counted(job)).toBeGreaterThanOrEqual(before);
  expect(job.texts().at(-2)).toBe('##[error]The runner was stopped while this job ran');
  expect(job.steps().map(({ status }) => status)).toEqual(['success', 'failure', 'skipped']);
  expect(checkReport(job)).toEqual([]);
  await expectNothingLeft(home);
  const next = forgejo.addJob('{ runs-on: linux, steps: [{ run: echo }] }');
  expect(await next.ended()).toBe('success');
  expect(second.isRunning()).toBe(true);
});

it('loses no task whose answer it was killed over', async () => {
  await using forgejo = await startFakeForgejo();
  await using home = await openHome({ command: built.command, connections: { main: { forgejo } } });
  // The server gives the job away, and the answer never comes.
  forgejo.scenario.add({ on: 'FetchTask', fault: { kind: 'hang', when: 'after' } });
  const job = forgejo.addJob('{ runs-on: linux, steps: [{ run: echo }] }');
  const first = home.start();
  await job.taken();
  await first.kill();
  await using _second = home.start();
  expect(await job.ended()).toBe('success');
  expect(job.timeline().map(({ kind }) => kind)).toContain('recovered');
  expect(checkReport(job)).toEqual([]);
});

it('reports rows that the instance did not take before the runner was killed', async () => {
  await using forgejo = await startFakeForgejo();
  await using home = await openHome({ command: built.command, connections: { main: { forgejo } } });
  const first = home.start();
  const job = forgejo.addJob(`
    runs-on: linux
    steps:
      - run: |
          echo started
          until [ -e '${home.folder.join('go')}' ]; do sleep 0.05; done
          for i in $(seq 3000); do echo "line $i"; done
          sleep 600
  `);
  await eventually(() => job.texts().includes('started'), { timeoutMs: 60_000 });
  await forgejo.stop();
  await home.folder.write({ go: '' });
  const { jobs } = JSON.parse((await home.start('jobs', '--json').finished).stdout) as { jobs: [{ id: string }] };
  const kept = async (): Promise<string> => (await home.start('logs', jobs[0].id).finished).stdout;
  await eventually(async () => (await kept()).includes('line 3000'), { timeoutMs: 60_000, intervalMs: 200 });
  await first.kill();
  expect(counted(job)).toBe(0);
  await forgejo.start();
  await using _second = home.start();
  expect(await job.ended()).toBe('failure');
  expect(counted(job)).toBe(3000);
  expect(checkReport(job)).toEqual([]);
  await expectNothingLeft(home);
});

/** Requests in the life of a job, at each of which a runner may die before or after the server did what it was asked for. */
const moments: readonly (readonly [Procedure, number])[] = [
  ['Declare', 0],
  ['FetchTask', 0],
  ['UpdateLog', 0],
  ['UpdateLog', 1],
  ['UpdateTask', 0],
  ['UpdateTask', 1],
  ['UpdateTask', 2],
  ['UpdateTask', 3],
];

it.each(moments.flatMap(([on, after]) => (['before', 'after'] as const).map((when) => [on, after, when] as const)))(
  'loses nothing when the runner is killed at a request: %s number %i, %s the server did it',
  async (on, after, when) => {
    await using forgejo = await startFakeForgejo();
    await using home = await openHome({ command: built.command, connections: { main: { forgejo } } });
    const job = forgejo.addJob(`
      runs-on: linux
      outputs: { name: '\${{ steps.print.outputs.name }}' }
      steps:
        - { id: print, run: 'echo one; sleep 0.3; echo two; echo name=x >> "$GITHUB_OUTPUT"' }
        - run: echo three; sleep 0.3
    `);
    forgejo.scenario.add({ on, after, fault: { kind: 'hang', when } });
    const first = home.start();
    await eventually(() => forgejo.record.all.some(({ fault }) => fault === 'hang'), { timeoutMs: 60_000 });
    await first.kill();
    const second = home.start();
    await job.ended();
    const rows = ['one', 'two', 'three'];
    expect(judgeJob({ job, rows, result: 'success', outputs: { name: 'x' } }, true)).toEqual([]);
    // Nothing of it is left to be reported, and the runner works.
    expect(await forgejo.addJob('{ runs-on: linux, steps: [{ run: echo }] }').ended()).toBe('success');
    await expectNothingLeft(home);
    await second.kill();
  },
);

it('reports the job of a runner for one job that was killed', async () => {
  await using forgejo = await startFakeForgejo();
  const ephemeral = { ephemeral: true };
  await using home = await openHome({ command: built.command, connections: { main: { forgejo, runner: ephemeral } } });
  const job = forgejo.addJob('{ runs-on: linux, steps: [{ run: echo one; sleep 600 }] }');
  const first = home.start('one-job');
  await eventually(() => job.texts().includes('one'), { timeoutMs: 60_000 });
  await first.kill();
  const { code } = await home.start('one-job').finished;
  expect(job.status()).toBe('failure');
  expect(judgeJob({ job, rows: ['one'], result: 'success' }, true)).toEqual([]);
  // With the result the instance deleted the runner, which cannot take another job.
  expect(code).toBe(1);
  await expectNothingLeft(home);
});
