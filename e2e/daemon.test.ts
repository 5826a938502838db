import { checkReport, eventually, type ServerVersion, startFakeForgejo, webPage } from '@forgejo-runner/testkit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BuiltRunner, buildRunner } from './built-runner.ts';
import { expectNothingLeft, type HomeOptions, openHome, type RunnerHome } from './daemon-runner.ts';

const opened = new AsyncDisposableStack();
let built: BuiltRunner;

beforeAll(async () => {
  built = opened.use(await buildRunner());
});

afterAll(() => opened.disposeAsync());

function openRunner(options: Omit<HomeOptions, 'command'>): Promise<RunnerHome> {
  return openHome({ command: built.command, ...options });
}

const numbers = (count: number): readonly string[] => Array.from({ length: count }, (_, index) => `line ${index + 1}`);
const counting = (count: number): string => `for i in $(seq ${count}); do echo "line $i"; done`;

describe('a job of an instance', () => {
  it('is taken, shown and ended, with what it hands on', async () => {
    await using forgejo = await startFakeForgejo();
    await using home = await openRunner({ connections: { main: { forgejo } } });
    const job = forgejo.addJob({
      secrets: { PASSWORD: 'hunter2' },
      vars: { GREETING: 'hello' },
      workflow: `
        runs-on: linux
        outputs: { answer: '\${{ steps.say.outputs.answer }}' }
        steps:
          - id: say
            run: |
              echo '\${{ vars.GREETING }} hunter2'
              echo answer=42 >> "$GITHUB_OUTPUT"
          - run: ${counting(500)}
          - run: exit 3
            continue-on-error: true
          - run: echo never
            if: false
      `,
    });
    const next = forgejo.addJob(`{ runs-on: linux, steps: [{ run: 'echo "\${{ needs.first.outputs.answer }}"' }] }`, {
      first: job,
    });
    await using runner = home.start();
    expect(await job.ended()).toBe('success');
    expect(await next.ended()).toBe('success');
    expect(job.stepTexts(0)).toContain('hello ***');
    expect(job.stepTexts(1).filter((text) => text.startsWith('line '))).toEqual(numbers(500));
    expect(job.steps().map(({ status }) => status)).toEqual(['success', 'success', 'failure', 'skipped']);
    expect(job.texts().join('\n')).not.toContain('hunter2');
    expect(job.outputs()).toEqual({ answer: '42' });
    expect(next.stepTexts(0)).toContain('42');
    expect([...checkReport(job), ...checkReport(next)]).toEqual([]);
    await expectNothingLeft(home);
    expect(runner.isRunning()).toBe(true);
    expect(forgejo.runners()[0]).toMatchObject({ labels: ['linux'], version: expect.stringMatching(/^v\d/) });
  });

  it('that was cancelled stops, and still runs what comes last', async () => {
    await using forgejo = await startFakeForgejo();
    await using home = await openRunner({ connections: { main: { forgejo } } });
    await using _runner = home.start();
    const job = forgejo.addJob(`
      runs-on: linux
      steps:
        - run: echo started; sleep 600
        - run: echo cleaned up
          if: always()
        - run: echo never
    `);
    await eventually(() => job.texts().includes('started'), { timeoutMs: 60_000 });
    job.cancel();
    await eventually(async () => (await home.leftProcesses()).length === 0, { timeoutMs: 30_000 });
    await expectNothingLeft(home);
    expect(job.status()).toBe('cancelled');
    // The first state after the cancellation is the one whose answer tells of it.
    const [ended, noticed] = ['ended', 'state'].map((kind) =>
      job.timeline().find((event) => event.kind === kind && (event.kind !== 'state' || event.isLate)),
    );
    expect((noticed?.atMs ?? 0) - (ended?.atMs ?? 0)).toBeLessThan(5000);
    await eventually(() => job.isArchived(), { timeoutMs: 30_000 });
    expect(job.texts()).toContain('cleaned up');
    expect(job.texts()).not.toContain('never');
    expect(checkReport(job)).toEqual([]);
  });

  it.each<ServerVersion>(['1.20', '7.0.0', '11.0.0', '14.0.0', '14.0.2'])(
    'comes from Forgejo %s as well',
    async (version) => {
      await using forgejo = await startFakeForgejo({ version });
      await using home = await openRunner({ connections: { main: { forgejo, runner: { labels: ['linux'] } } } });
      const jobs = [1, 2, 3].map((count) =>
        forgejo.addJob(`{ runs-on: linux, steps: [{ run: '${counting(count)}' }] }`),
      );
      await using _runner = home.start();
      for (const [index, job] of jobs.entries()) {
        expect(await job.ended()).toBe('success');
        expect(checkReport(job, { rows: numbers(index + 1) })).toEqual([]);
      }
    },
  );

  it('comes to a daemon from several instances, which share its places', async () => {
    await using first = await startFakeForgejo();
    await using second = await startFakeForgejo({ path: '/forge' });
    await using home = await openRunner({
      capacity: 1,
      connections: { first: { forgejo: first }, second: { forgejo: second } },
    });
    const jobs = [first, second, first, second].map((forgejo) =>
      forgejo.addJob(`{ runs-on: linux, steps: [{ run: '${counting(3)}' }] }`),
    );
    await using _runner = home.start();
    for (const job of jobs) {
      expect(await job.ended()).toBe('success');
      expect(checkReport(job, { rows: numbers(3) })).toEqual([]);
    }
    const spans = jobs.map((job) => {
      const [picked, ended] = [job.timeline()[0], job.timeline().find(({ kind }) => kind === 'ended')];
      return [picked?.atMs ?? 0, ended?.atMs ?? 0] as const;
    });
    const sorted = spans.toSorted(([a], [b]) => a - b);
    // One place: no job is taken before the one before it has its result.
    expect(sorted.slice(1).every(([from], index) => from >= (sorted[index]?.[1] ?? 0))).toBe(true);
  });

  it('is reported over a network that loses, cuts and repeats', async () => {
    await using forgejo = await startFakeForgejo();
    await using home = await openRunner({ connections: { main: { forgejo } } });
    const job = forgejo.addJob(`{ runs-on: linux, steps: [{ run: '${counting(2000)}' }, { run: echo }] }`);
    const { scenario } = forgejo;
    scenario.add({ on: 'Declare', fault: webPage(503) });
    scenario.add({ on: 'FetchTask', fault: { kind: 'reset', when: 'after' } });
    scenario.add({ on: 'FetchTask', fault: { kind: 'half' } });
    scenario.add({ on: 'UpdateLog', fault: { kind: 'reset', when: 'after' }, times: 3 });
    scenario.add({ on: 'UpdateLog', fault: { kind: 'answer', status: 502 }, times: 3 });
    scenario.add({
      on: 'UpdateTask',
      fault: { kind: 'error', code: 'internal', message: 'database is locked' },
      times: 3,
    });
    await using _runner = home.start();
    expect(await job.ended()).toBe('success');
    expect(checkReport(job, { rows: numbers(2000) })).toEqual([]);
    expect(scenario.left()).toBe(0);
    // It was handed out once, and once more to the same question.
    expect(job.timeline().filter(({ kind }) => kind === 'recovered').length).toBeGreaterThan(0);
  });
});

describe('a daemon', () => {
  it('starts before its instance does', async () => {
    await using forgejo = await startFakeForgejo();
    await using home = await openRunner({ connections: { main: { forgejo } } });
    await forgejo.stop();
    await using runner = home.start();
    await eventually(() => runner.output().includes('FRR701'), { timeoutMs: 60_000 });
    const job = forgejo.addJob('{ runs-on: linux, steps: [{ run: echo }] }');
    await forgejo.start();
    expect(await job.ended({ timeoutMs: 120_000 })).toBe('success');
  });

  it('ends its jobs before it ends, as long as it may', async () => {
    await using forgejo = await startFakeForgejo();
    await using home = await openRunner({
      connections: { main: { forgejo } },
      runner: { shutdown_timeout: '10m' },
    });
    await using runner = home.start();
    const job = forgejo.addJob('{ runs-on: linux, steps: [{ run: "echo started; sleep 3; echo done" }] }');
    await eventually(() => job.texts().includes('started'), { timeoutMs: 60_000 });
    runner.signal('SIGTERM');
    // A question that was on its way may still bring work.
    await eventually(() => runner.output().includes('no more jobs are taken'), { timeoutMs: 60_000 });
    const waiting = forgejo.addJob('{ runs-on: linux, steps: [] }');
    expect((await runner.finished).code).toBe(0);
    expect(job.status()).toBe('success');
    expect(checkReport(job, { rows: ['started', 'done'] })).toEqual([]);
    expect(waiting.status()).toBe('waiting');
    await expectNothingLeft(home);
  });

  it('cancels its jobs at once when it is told twice', async () => {
    await using forgejo = await startFakeForgejo();
    await using home = await openRunner({
      connections: { main: { forgejo } },
      runner: { shutdown_timeout: '10m' },
    });
    await using runner = home.start();
    const job = forgejo.addJob(`
      runs-on: linux
      steps: [{ run: echo started; sleep 600 }, { run: echo cleaned up, if: always() }]
    `);
    await eventually(() => job.texts().includes('started'), { timeoutMs: 60_000 });
    // Two of the same kind may come as one.
    runner.signal('SIGTERM');
    runner.signal('SIGINT');
    await runner.finished;
    expect(['cancelled', 'failure']).toContain(job.status());
    expect(checkReport(job)).toEqual([]);
    await expectNothingLeft(home);
  });
});
