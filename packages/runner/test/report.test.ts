import { readdir, readFile, stat } from 'node:fs/promises';
import { openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { JobFileWriter } from '../src/report/job-file.ts';
import { EndedByServer } from '../src/report/report-loop.ts';
import { type ChannelCall, fakeChannel } from './fake-channel.ts';
import { heldClock } from './held-clock.ts';
import { complete, main, openReport, rowsOf, runStep, setUp } from './open-report.ts';

let temp: TempFolder;
beforeEach(async () => {
  temp = await openTempFolder();
});
afterEach(() => temp[Symbol.asyncDispose]());

it('brings rows, states and the result of a job to the server', async () => {
  await using opened = await openReport(temp.path);
  const { reporter, channel, clock } = opened;
  await reporter.report.rows(setUp, rowsOf('set up'));
  await runStep(opened, { index: 0, texts: ['a', 'b'] });
  await runStep(opened, { index: 1, outcome: 'failure', texts: ['c'] });
  reporter.report.step({
    kind: 'finished',
    index: 2,
    stage: 'main',
    name: 'Three',
    outcome: 'skipped',
    conclusion: 'skipped',
    atMs: clock.now(),
  });
  await reporter.report.rows(complete, rowsOf('clean up'));
  expect(await reporter.finish('failure', new Map())).toBe('delivered');
  expect(channel.texts()).toEqual(['set up', 'a', 'b', 'c', 'clean up', 'Job failed']);
  expect(channel.isArchived()).toBe(true);
  expect(channel.state()).toMatchObject({
    taskId: '7',
    result: 'failure',
    startedAtMs: 1_000_000,
    stoppedAtMs: 1_000_000,
    steps: [
      { index: 0, result: 'success', logIndex: 1, logLength: 2 },
      { index: 1, result: 'failure', logIndex: 3, logLength: 1 },
      { index: 2, result: 'skipped', logIndex: 4, logLength: 0 },
    ],
  });
  expect(channel.calls.map(({ kind }) => kind)).toEqual(['log', 'task']);
  expect(await reporter.settled).toBe('delivered');
});

it('closes the log of a job without any row by one row', async () => {
  await using opened = await openReport(temp.path, { job: { stepNames: [] } });
  await opened.reporter.finish('cancelled', new Map());
  expect(opened.channel.texts()).toEqual(['Job was cancelled']);
  expect(opened.channel.isArchived()).toBe(true);
});

it('tells what changed once in an interval, and asks for a cancellation every 1.5 s while nothing does', async () => {
  await using opened = await openReport(temp.path);
  const { reporter, channel, clock } = opened;
  await reporter.report.rows(setUp, rowsOf('set up'));
  await clock.advance(999);
  expect(channel.calls).toEqual([]);
  await clock.advance(1);
  await clock.idle();
  expect(channel.calls.map(({ kind }) => kind)).toEqual(['log', 'task']);
  await clock.advance(60_000);
  await clock.idle();
  const silent = channel.calls.slice(2);
  expect(silent).toHaveLength(40);
  expect(silent.every(({ kind }) => kind === 'task')).toBe(true);
  // Changes are told soon, because nothing was told in the last interval.
  await reporter.report.rows(setUp, rowsOf('x'));
  await clock.advance(500);
  await clock.idle();
  expect(channel.texts()).toEqual(['set up', 'x']);
});

it('keeps to a longer interval that the administrator wants', async () => {
  await using opened = await openReport(temp.path, { settings: { intervalMs: 10_000 } });
  await opened.clock.advance(60_000);
  await opened.clock.idle();
  expect(opened.channel.calls).toHaveLength(6);
});

it.each([
  ['cancelled', 'the job was cancelled on the instance'],
  ['failure', 'the instance ended the job with the result failure'],
] as const)(
  'notices within two seconds that the server ended the task as %s, and only brings rows then',
  async (result, message) => {
    await using opened = await openReport(temp.path);
    const { reporter, channel, clock } = opened;
    await clock.advance(3100);
    await clock.idle();
    channel.end(result);
    const before = channel.calls.length;
    await clock.advance(2000);
    await clock.idle();
    expect(reporter.cancelled.aborted).toBe(true);
    expect(reporter.cancelled.reason).toBeInstanceOf(EndedByServer);
    expect(reporter.cancelled.reason).toMatchObject({ message, result });
    expect(channel.calls).toHaveLength(before + 1);
    await clock.advance(600_000);
    expect(channel.calls).toHaveLength(before + 1);
    await reporter.report.rows(complete, rowsOf('cleaned up'));
    await clock.advance(1000);
    await clock.idle();
    expect(channel.texts()).toEqual(['cleaned up']);
    expect(await reporter.finish('cancelled', new Map())).toBe('delivered');
    expect(channel.texts()).toEqual(['cleaned up', 'Job was cancelled']);
  },
);

it('never promises rows that the server does not have', async () => {
  await using opened = await openReport(temp.path);
  const { reporter, channel, clock } = opened;
  channel.fault = (call) => (call.kind === 'log' && call.index > 0 ? 'before' : undefined);
  reporter.report.step({ kind: 'started', index: 0, stage: 'main', name: 'One', atMs: clock.now() });
  await reporter.report.rows(main(0), rowsOf('a', 'b'));
  await clock.advance(1000);
  await reporter.report.rows(main(0), rowsOf('c'));
  await clock.advance(5000);
  await clock.idle();
  expect(channel.state()?.steps).toEqual([{ index: 0, startedAtMs: 1_000_000, logIndex: 0, logLength: 2 }]);
});

it('cuts what it sends into requests, one at a time, and does not wait between full ones', async () => {
  await using opened = await openReport(temp.path);
  const { reporter, channel, clock } = opened;
  const texts = Array.from({ length: 5200 }, (_, index) => `row ${index}`);
  await reporter.report.rows(setUp, rowsOf(...texts));
  await clock.advance(1000);
  await clock.idle();
  expect(channel.texts()).toEqual(texts);
  await reporter.report.rows(setUp, rowsOf(...Array.from({ length: 9 }, () => 'x'.repeat(65_536))));
  await clock.advance(30_000);
  await clock.idle();
  const sizes = channel.calls.flatMap((call) => (call.kind === 'log' ? [call.rows] : []));
  expect(sizes.slice(0, 6)).toEqual([1000, 1000, 1000, 1000, 1000, 200]);
  expect(Math.max(...sizes.slice(6))).toBe(2);
  expect(channel.mostAtOnce()).toBe(1);
});

it('does not pause while it is behind, and looks for a cancellation all the same', async () => {
  await using opened = await openReport(temp.path);
  const { reporter, channel, clock } = opened;
  const { updateLog } = channel;
  const slow: typeof updateLog = async (update, signal) => {
    await clock.wait(400, signal);
    return updateLog(update, signal);
  };
  Object.assign(channel, { updateLog: slow });
  const texts = Array.from({ length: 20_000 }, (_, index) => `row ${index}`);
  await reporter.report.rows(setUp, rowsOf(...texts));
  await clock.advance(9500);
  await clock.idle();
  expect(channel.rows).toHaveLength(texts.length);
  expect(channel.calls.filter(({ kind }) => kind === 'task').length).toBeGreaterThanOrEqual(4);
});

it('sends outputs before the result, and warns about those that the server would drop', async () => {
  await using opened = await openReport(temp.path);
  const outputs = new Map([
    ['small', '1'],
    ['n'.repeat(256), '2'],
    ['large', 'x'.repeat(1024 * 1024 + 1)],
    ['__proto__', '3'],
  ]);
  for (let index = 0; index < 3; index += 1) outputs.set(`big-${index}`, 'y'.repeat(400_000));
  await opened.reporter.finish('success', outputs);
  const { channel } = opened;
  expect([...channel.outputs.keys()]).toEqual(['small', '__proto__', 'big-0', 'big-1', 'big-2']);
  const tasks = channel.calls.flatMap((call) => (call.kind === 'task' ? [call] : []));
  expect(tasks.map(({ outputs }) => outputs)).toEqual([['small', '__proto__', 'big-0'], ['big-1'], ['big-2'], []]);
  expect(tasks.map(({ state }) => state.result)).toEqual([undefined, undefined, undefined, 'success']);
  expect(channel.texts()).toEqual([
    `##[warning]Output "${'n'.repeat(60)}…" is left out: its name has more than 255 bytes`,
    '##[warning]Output "large" is left out: it has more than 1048576 bytes',
    'Job succeeded',
  ]);
});

it('goes on when the server keeps an output to itself', async () => {
  await using opened = await openReport(temp.path);
  const { channel, warnings } = opened;
  const { updateTask } = channel;
  Object.assign(channel, {
    updateTask: async (...args: Parameters<typeof updateTask>) => ({ ...(await updateTask(...args)), sentOutputs: [] }),
  });
  expect(await opened.reporter.finish('success', new Map([['a', 'b']]))).toBe('delivered');
  expect(warnings).toEqual(['the instance does not take outputs of a job']);
});

it('hands over summaries where the server has a place for them, and says so once where it has none', async () => {
  {
    await using opened = await openReport(temp.path, { channel: fakeChannel({ summaries: true }) });
    opened.reporter.report.summary(1, '# old');
    opened.reporter.report.summary(1, '# new');
    opened.reporter.report.summary(0, 'zero');
    await opened.reporter.finish('success', new Map());
    expect(opened.channel.calls.filter(({ kind }) => kind === 'summary')).toEqual([
      { kind: 'summary', taskId: '7', stepIndex: 0, markdown: 'zero' },
      { kind: 'summary', taskId: '7', stepIndex: 1, markdown: '# new' },
    ]);
    expect((await readdir(opened.folder)).toSorted()).toEqual(['job.json', 'log']);
  }
  await using opened = await openReport(temp.path, { job: { taskId: '8' } });
  opened.reporter.report.summary(0, 'a');
  opened.reporter.report.summary(1, 'b');
  await opened.reporter.finish('success', new Map());
  expect(opened.channel.texts()).toEqual([
    '##[notice]Summaries of steps are not shown: the instance has no place for them',
    'Job succeeded',
  ]);
});

it('shows whose the rows of pre and post stages are', async () => {
  await using opened = await openReport(temp.path);
  const { reporter, clock } = opened;
  const stage = async (index: number, name: 'pre' | 'post'): Promise<void> => {
    const title = `${name === 'pre' ? 'Pre' : 'Post'} Checkout`;
    reporter.report.step({ kind: 'started', index, stage: name, name: title, atMs: clock.now() });
    await reporter.report.rows({ kind: 'step', index, stage: name }, rowsOf(`${name} ${index}`));
  };
  await stage(1, 'pre');
  await runStep(opened, { index: 0, texts: ['a'] });
  await runStep(opened, { index: 1, texts: ['b', 'c'] });
  await stage(1, 'post');
  await reporter.finish('success', new Map());
  expect(opened.channel.texts()).toEqual([
    '▸ Pre Checkout',
    'pre 1',
    'a',
    'b',
    'c',
    '▸ Post Checkout',
    'post 1',
    'Job succeeded',
  ]);
  expect(ranges(opened.channel.calls)).toEqual([
    [2, 1],
    [3, 2],
    [7, 0],
  ]);
});

it('tells how far it is, with the last rows', async () => {
  await using opened = await openReport(temp.path);
  const { reporter, clock } = opened;
  await runStep(opened, { index: 0, texts: ['a', 'b'] });
  await clock.advance(1000);
  await clock.idle();
  reporter.runsOn('lxc');
  await reporter.report.rows(complete, rowsOf('c'));
  expect(reporter.progress()).toEqual({
    startedAtMs: 1_000_000,
    backend: 'lxc',
    rows: 3,
    bytes: (await stat(`${opened.folder}/log`)).size,
    waitingRows: 1,
    steps: [{ index: 0, result: 'success', startedAtMs: 1_000_000, stoppedAtMs: 1_000_000, logIndex: 0, logLength: 2 }],
  });
  expect((await reporter.tail(2)).map(({ text }) => text)).toEqual(['b', 'c']);
  expect(await reporter.tail(10)).toHaveLength(3);
});

it('lets no time run backwards where the clock was set back', async () => {
  let nowMs = 5_000_000;
  const clock = { ...heldClock(), now: () => nowMs };
  await using opened = await openReport(temp.path, { clock });
  await opened.reporter.report.rows(setUp, [{ atMs: 5_000_500, text: 'a' }]);
  nowMs = 1_000_000;
  await opened.reporter.report.rows(setUp, [{ atMs: nowMs, text: 'b' }]);
  await opened.reporter.finish('success', new Map());
  expect(opened.channel.rows.map(({ atMs }) => atMs)).toEqual([5_000_500, 5_000_500, 5_000_500]);
  expect(opened.channel.state()).toMatchObject({ startedAtMs: 5_000_000, stoppedAtMs: 5_000_000 });
});

it('keeps its files from other users, and takes a task once', async () => {
  await using opened = await openReport(temp.path);
  await opened.reporter.report.rows(setUp, rowsOf('a'));
  expect((await stat(opened.folder)).mode & 0o777).toBe(0o700);
  for (const name of await readdir(opened.folder)) {
    expect((await stat(`${opened.folder}/${name}`)).mode & 0o777).toBe(0o600);
  }
  await expect(openReport(temp.path)).rejects.toMatchObject({ code: 'EEXIST' });
});

it('does not begin where its state cannot be written', async () => {
  await using temp = await openTempFolder();
  const failing = vi.spyOn(JobFileWriter.prototype, 'save').mockRejectedValueOnce(new Error('disk full'));
  await expect(openReport(temp.path)).rejects.toThrow('disk full');
  failing.mockRestore();
});

it('finishes once, and takes nothing after that', async () => {
  await using opened = await openReport(temp.path);
  const { reporter } = opened;
  const [first, second] = await Promise.all([
    reporter.finish('success', new Map()),
    reporter.finish('failure', new Map()),
  ]);
  expect([first, second]).toEqual(['delivered', 'delivered']);
  await reporter.report.rows(setUp, rowsOf('too late'));
  expect(opened.channel.texts()).toEqual(['Job succeeded']);
  expect(await readFile(`${opened.folder}/log`, 'utf8')).toBe('');
});

it('can be disposed at any moment', async () => {
  const opened = await openReport(temp.path);
  opened.channel.fault = () => 'before';
  await opened.reporter.report.rows(setUp, rowsOf('a'));
  const finished = opened.reporter.finish('success', new Map());
  await opened[Symbol.asyncDispose]();
  expect(await opened.reporter.settled).toBe('pending');
  await Promise.race([finished, opened.reporter.settled]);
  const other = await openReport(temp.path, { job: { taskId: '9' } });
  await other[Symbol.asyncDispose]();
  expect(await other.reporter.settled).toBe('pending');
});

function ranges(calls: readonly ChannelCall[]): readonly (readonly [number, number])[] {
  const last = calls.findLast(({ kind }) => kind === 'task');
  return last?.kind === 'task' ? last.state.steps.map(({ logIndex, logLength }) => [logIndex, logLength]) : [];
}

it('takes a task that came again after a start died before it could note it', async () => {
  // As a process leaves it that is killed right after it made the folder.
  await temp.write({ 'jobs/7/log': 'half of a' });
  await using opened = await openReport(temp.path);
  const { reporter, channel, clock } = opened;
  await reporter.report.rows(setUp, rowsOf('a'));
  const finished = reporter.finish('success', new Map());
  await clock.advance(1000);
  expect(await finished).toBe('delivered');
  expect(channel.texts()).toEqual(['a', 'Job succeeded']);
});
