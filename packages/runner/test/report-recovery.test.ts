import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { appendFile, readFile, rm, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually, openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type JobFile, readJobFile, writeJobFile } from '../src/report/job-file.ts';
import { type RecoveredJob, recoverReports } from '../src/report/recover-reports.ts';
import { type FakeChannel, fakeChannel } from './fake-channel.ts';
import { type HeldClock, heldClock } from './held-clock.ts';
import {
  complete,
  main,
  type OpenedReport,
  openReport,
  recordingLog,
  rowsOf,
  runStep,
  settings,
  setUp,
} from './open-report.ts';

const child = fileURLToPath(new URL('report-child.ts', import.meta.url));

let temp: TempFolder;
beforeEach(async () => {
  temp = await openTempFolder();
});
afterEach(() => temp[Symbol.asyncDispose]());

function begun(steps: readonly { readonly index: number; readonly result?: string }[]): unknown {
  return steps.map(({ index, result }) => [index, result]);
}

it('tells no state that would be unknown after the death of the runner', async () => {
  await using opened = await openReport(temp.path);
  const { reporter, channel, clock, folder } = opened;
  const told: unknown[] = [];
  const kept: unknown[] = [];
  channel.fault = (call) => {
    if (call.kind !== 'task') return undefined;
    told.push(begun(call.state.steps));
    // Written by the reporter; nothing else is in this folder.
    const file = JSON.parse(readFileSync(join(folder, 'job.json'), 'utf8')) as JobFile;
    kept.push(begun(file.steps));
    return undefined;
  };
  for (let index = 0; index < 3; index += 1) {
    reporter.report.step({ kind: 'started', index, stage: 'main', name: 'a step', atMs: clock.now() });
    await clock.advance(2000);
    const finished = { index, stage: 'main', name: 'a step', atMs: clock.now() } as const;
    reporter.report.step({ kind: 'finished', ...finished, outcome: 'success', conclusion: 'success' });
    await clock.advance(2000);
  }
  await clock.idle();
  expect(told.length).toBeGreaterThan(5);
  expect(kept).toEqual(told);
});

it('reports a job that ran when its runner died: the rows that are missing, why, and the states', async () => {
  const opened = await openReport(temp.path);
  const { reporter, channel, clock } = opened;
  await reporter.report.rows(setUp, rowsOf('set up'));
  await runStep(opened, { index: 0, texts: ['a'] });
  await clock.advance(1000);
  await clock.idle();
  channel.fault = () => 'before';
  reporter.report.step({ kind: 'started', index: 1, stage: 'main', name: 'Two', atMs: clock.now() });
  await reporter.report.rows(main(1), rowsOf('b', 'c'));
  await opened[Symbol.asyncDispose]();
  channel.fault = () => undefined;

  const recovered = await recover(channel, heldClock(2_000_000));
  expect(recovered).toMatchObject([{ id: '7', delivery: 'delivered', job: { ended: { result: 'failure' } } }]);
  expect(channel.texts()).toEqual([
    'set up',
    'a',
    'b',
    'c',
    '##[error]The runner was stopped while this job ran',
    'Job failed',
  ]);
  expect(channel.state()).toMatchObject({
    result: 'failure',
    startedAtMs: 1_000_000,
    stoppedAtMs: 2_000_000,
    steps: [
      { index: 0, result: 'success', logIndex: 1, logLength: 1 },
      { index: 1, result: 'failure', logIndex: 2, logLength: 2, stoppedAtMs: 2_000_000 },
      { index: 2, result: 'skipped', logIndex: 4, logLength: 0 },
    ],
  });
  expect(await recover(channel)).toEqual([]);
});

it('delivers a job that had ended as it ended, with its outputs and summaries', async () => {
  const channel = fakeChannel({ summaries: true });
  const opened = await openReport(temp.path, { channel });
  channel.fault = (call) => (call.kind === 'log' ? undefined : 'before');
  await runStep(opened, { index: 0, texts: ['a'] });
  opened.reporter.report.summary(0, '# Summary');
  const finished = opened.reporter.finish('cancelled', new Map([['__proto__', 'x']]));
  await opened.clock.advance(1000);
  await opened[Symbol.asyncDispose]();
  expect(await opened.reporter.settled).toBe('pending');
  void finished;
  channel.fault = () => undefined;
  expect(await recover(channel)).toMatchObject([{ delivery: 'delivered' }]);
  expect(channel.texts()).toEqual(['a', 'Job was cancelled']);
  expect(channel.outputs).toEqual(new Map([['__proto__', 'x']]));
  expect(channel.calls).toContainEqual(
    expect.objectContaining({ kind: 'summary', stepIndex: 0, markdown: '# Summary' }),
  );
  expect(channel.state()).toMatchObject({ result: 'cancelled', stoppedAtMs: 1_000_000 });
  expect(await readJobFile(opened.folder)).toMatchObject({ delivery: 'delivered', ended: { outputs: [] } });
});

it('leaves jobs to the living, and those of connections that it does not have', async () => {
  const opened = await left(fakeChannel());
  const channel = fakeChannel();
  expect(await recover(channel, heldClock(), { isAlive: ({ boot }) => boot === 'boot-1' })).toEqual([]);
  expect(await recover(undefined)).toEqual([]);
  expect(await readJobFile(opened.folder)).not.toHaveProperty('delivery');
  // After a day nobody waits for it.
  expect(await recover(undefined, heldClock(1_000_000 + 25 * 60 * 60_000))).toMatchObject([{ delivery: 'given-up' }]);
  expect(await recover(channel)).toEqual([]);
});

it('says the reason once, also when the process that reports it dies too', async () => {
  const channel = fakeChannel();
  await left(channel);
  channel.fault = () => 'before';
  for (let round = 0; round < 2; round += 1) {
    const clock = heldClock();
    const stop = new AbortController();
    const running = recover(channel, clock, {}, stop.signal);
    await clock.advance(100);
    stop.abort();
    expect(await running).toMatchObject([{ delivery: 'pending' }]);
    // As if it had died before it knew that the job had ended.
    const file = await readJobFile(join(temp.path, 'jobs', '7'));
    const { ended: _, ...running7 } = file as JobFile;
    await writeJobFile(join(temp.path, 'jobs', '7'), running7, false);
  }
  channel.fault = () => undefined;
  await recover(channel);
  expect(channel.texts()).toEqual(['a', '##[error]The runner was stopped while this job ran', 'Job failed']);
});

it('goes on after rows that the disk lost but the server has', async () => {
  const channel = fakeChannel();
  await leftWithLostRows(channel);
  const clock = heldClock();
  const running = recover(channel, clock);
  await clock.advance(5000);
  expect(await running).toMatchObject([{ delivery: 'delivered' }]);
  expect(channel.texts()).toEqual([
    'a',
    'b',
    'c',
    'd',
    'e',
    '##[error]The runner was stopped while this job ran',
    'Job failed',
  ]);
});

it('sends what it has when both sides lost rows', async () => {
  const channel = fakeChannel();
  await leftWithLostRows(channel);
  channel.calls.length = 0;
  channel.fault = () => {
    if (channel.calls.length === 2) channel.forget(5);
    return undefined;
  };
  const clock = heldClock();
  const running = recover(channel, clock);
  await clock.advance(5000);
  expect(await running).toMatchObject([{ delivery: 'delivered' }]);
  expect(channel.texts()).toEqual(['a', '##[error]The runner was stopped while this job ran', 'Job failed']);
});

it('goes on after a row that was torn, and passes over folders that are no jobs', async () => {
  const channel = fakeChannel();
  const { folder } = await left(channel);
  await appendFile(join(folder, 'log'), '#1 1 100 00000000\n1 set-up half of');
  await temp.write({
    'jobs/empty/.keep': '',
    'jobs/broken/job.json': '{"version":',
    'jobs/other/job.json': '{"version":2}',
    'jobs/file': 'x',
  });
  expect(await recover(channel)).toHaveLength(1);
  expect(channel.texts()).toEqual(['a', '##[error]The runner was stopped while this job ran', 'Job failed']);
});

it('reports other jobs although one cannot be read', async () => {
  const channel = fakeChannel();
  await left(channel);
  const other = await openReport(temp.path, { job: { taskId: '8' }, channel });
  await other[Symbol.asyncDispose]();
  await rm(join(temp.path, 'jobs', '7', 'log'));
  expect(await recover(channel)).toMatchObject([{ id: '8', delivery: 'delivered' }]);
});

it('has every row that was taken after a runner was killed', async () => {
  const process_ = spawn(
    process.execPath,
    ['--conditions=@forgejo-runner/source', child, join(temp.path, 'jobs', '7')],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const exit = once(process_, 'exit');
  let said = '';
  process_.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  try {
    await eventually(() => said.split('\n').length > 200, { what: '200 batches', timeoutMs: 60_000 });
  } finally {
    process_.kill('SIGKILL');
  }
  await exit;
  // Whole lines only: the last may be torn.
  const taken = said.slice(0, said.lastIndexOf('\n')).split('\n').map(Number);
  const channel = fakeChannel();
  expect(await recover(channel)).toMatchObject([{ delivery: 'delivered' }]);
  const texts = channel.texts().slice(0, -2);
  expect(texts.length).toBeGreaterThanOrEqual(taken.at(-1) ?? 0);
  expect(texts).toEqual(texts.map((_, index) => `row ${index}`));
  expect(channel.state()).toMatchObject({
    result: 'failure',
    steps: [{ index: 0, result: 'failure', logIndex: 0, logLength: texts.length }],
  });
}, 120_000);

/** A job that a runner left behind, with one row. */
async function left(channel: FakeChannel): Promise<OpenedReport> {
  const opened = await openReport(temp.path, { channel });
  await opened.reporter.report.rows(complete, rowsOf('a'));
  await opened[Symbol.asyncDispose]();
  return opened;
}

/** A job whose server has five rows, of which one is left on the disk. */
async function leftWithLostRows(channel: FakeChannel): Promise<void> {
  const opened = await openReport(temp.path, { channel });
  for (const text of ['a', 'b', 'c']) await opened.reporter.report.rows(setUp, rowsOf(text));
  await opened.clock.advance(1000);
  await opened.clock.idle();
  await opened[Symbol.asyncDispose]();
  const log = join(opened.folder, 'log');
  const content = await readFile(log);
  await truncate(log, content.indexOf('#', 1));
  channel.rows.push(...rowsOf('d', 'e'));
}

function recover(
  channel: FakeChannel | undefined,
  clock: HeldClock = heldClock(),
  { isAlive = () => false }: { readonly isAlive?: (job: JobFile) => boolean } = {},
  signal: AbortSignal = new AbortController().signal,
): Promise<readonly RecoveredJob[]> {
  const recovering = recoverReports(
    { folder: join(temp.path, 'jobs'), channelOf: () => channel, isAlive, settings, clock, log: recordingLog([]) },
    signal,
  );
  void recovering.then(clock.stop);
  return recovering;
}
