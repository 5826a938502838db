import { openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readJobFile } from '../src/report/job-file.ts';
import { ReportFailure } from '../src/report/report-channel.ts';
import { openReport, rowsOf, runStep, setUp } from './open-report.ts';

let temp: TempFolder;
beforeEach(async () => {
  temp = await openTempFolder();
});
afterEach(() => temp[Symbol.asyncDispose]());

it('counts a log that was archived by a request without an answer as complete', async () => {
  await using opened = await openReport(temp.path);
  let lost = 0;
  opened.channel.fault = (call) => (call.kind === 'log' && call.noMore && lost++ === 0 ? 'after' : undefined);
  const finished = opened.reporter.finish('success', new Map());
  await opened.clock.advance(1000);
  expect(await finished).toBe('delivered');
  expect(opened.channel.texts()).toEqual(['Job succeeded']);
  expect(opened.warnings).toEqual(['the result of a job cannot be reported yet']);
});

it('ends the log of a running job that the server archived, and still reports its states', async () => {
  await using opened = await openReport(temp.path);
  const { channel, clock, reporter } = opened;
  channel.fault = (call) => {
    if (call.kind === 'log') throw new ReportFailure('archived', 'log is archived');
    return undefined;
  };
  await runStep(opened, { index: 0, texts: ['a'] });
  await clock.advance(5000);
  expect(await reporter.finish('success', new Map())).toBe('delivered');
  expect(channel.calls.filter(({ kind }) => kind === 'log')).toHaveLength(1);
  expect(channel.state()?.result).toBe('success');
  expect(opened.warnings).toEqual(['the log on the instance ends early']);
});

it('sends less at once to a server that refuses large requests', async () => {
  await using opened = await openReport(temp.path);
  const { channel, clock, reporter } = opened;
  channel.fault = (call) => {
    if (call.kind === 'log' && call.rows > 100) throw new ReportFailure('refused', 'HTTP 413');
    return undefined;
  };
  const texts = Array.from({ length: 900 }, (_, index) => `${index}`);
  await reporter.report.rows(setUp, rowsOf(...texts));
  const finished = reporter.finish('success', new Map());
  await clock.advance(0);
  await finished;
  expect(channel.texts()).toEqual([...texts, 'Job succeeded']);
});

it('sends rows again that the server lost', async () => {
  await using opened = await openReport(temp.path);
  const { channel, clock, reporter } = opened;
  await reporter.report.rows(setUp, rowsOf('a', 'b', 'c'));
  await clock.advance(1000);
  await clock.idle();
  channel.forget(2);
  await reporter.report.rows(setUp, rowsOf('d'));
  await clock.advance(5000);
  await clock.idle();
  expect(channel.texts()).toEqual(['a', 'b', 'c', 'd']);
  expect(opened.warnings).toContain('the instance has fewer rows of a log than before; they are sent again');
});

it('pauses before it asks a server again that never takes a row', async () => {
  await using opened = await openReport(temp.path);
  const { channel, clock, reporter } = opened;
  Object.assign(channel, {
    updateLog: async () => {
      channel.calls.push({ kind: 'log', index: 0, rows: 1, noMore: false });
      return { ackIndex: 0 };
    },
  });
  await reporter.report.rows(setUp, rowsOf('a'));
  await clock.advance(60_000);
  await clock.idle();
  expect(channel.calls.filter(({ kind }) => kind === 'log').length).toBeLessThan(20);
});

it('waits longer after each failure while the job runs, and says it once', async () => {
  await using opened = await openReport(temp.path);
  const { channel, clock } = opened;
  channel.fault = () => 'before';
  await clock.advance(120_000);
  await clock.idle();
  expect(channel.calls.length).toBeGreaterThan(10);
  expect(channel.calls.length).toBeLessThan(40);
  expect(opened.warnings).toEqual(['the state of a job cannot be reported']);
  channel.fault = () => undefined;
  await clock.advance(10_000);
  await clock.idle();
  expect(channel.state()).toBeDefined();
});

it('notices a cancellation although the server takes no rows', async () => {
  await using opened = await openReport(temp.path);
  const { channel, clock, reporter } = opened;
  channel.fault = (call) => (call.kind === 'log' ? 'before' : undefined);
  await reporter.report.rows(setUp, rowsOf('a'));
  await clock.advance(60_000);
  await clock.idle();
  channel.end('cancelled');
  await clock.advance(2000);
  await clock.idle();
  expect(reporter.cancelled.aborted).toBe(true);
  expect(opened.warnings).toEqual(['rows of a job cannot be reported']);
});

it('reports the result although the server takes no rows for minutes, but not at once', async () => {
  await using opened = await openReport(temp.path);
  const { channel, clock, reporter } = opened;
  channel.fault = (call) => (call.kind === 'log' ? 'before' : undefined);
  await reporter.report.rows(setUp, rowsOf('a'));
  const finished = reporter.finish('success', new Map());
  await clock.advance(9 * 60_000);
  expect(await finished).toBe('pending');
  expect(channel.state()).toMatchObject({ taskId: '7' });
  expect(channel.state()).not.toHaveProperty('result');
  await clock.advance(3 * 60_000);
  expect(await reporter.settled).toBe('delivered');
  expect(channel.state()?.result).toBe('success');
  expect(opened.warnings).toContain('the log on the instance ends early');
});

it('does not count the time in which the server was away as a refusal of rows', async () => {
  await using opened = await openReport(temp.path);
  const { channel, clock, reporter } = opened;
  channel.fault = () => 'before';
  await reporter.report.rows(setUp, rowsOf('a'));
  const finished = reporter.finish('success', new Map());
  await clock.advance(60 * 60_000);
  expect(await finished).toBe('pending');
  channel.fault = () => undefined;
  await clock.advance(60_000);
  expect(await reporter.settled).toBe('delivered');
  expect(channel.texts()).toEqual(['a', 'Job succeeded']);
});

it('has the patience that a server asks for', async () => {
  await using opened = await openReport(temp.path);
  const { channel, clock } = opened;
  channel.fault = () => {
    throw new ReportFailure('retry', 'too many requests', { retryAfterMs: 80_000 });
  };
  await clock.advance(1000);
  await clock.idle();
  expect(channel.calls).toHaveLength(1);
  await clock.advance(79_900);
  await clock.idle();
  expect(channel.calls).toHaveLength(1);
  await clock.advance(200);
  await clock.idle();
  expect(channel.calls).toHaveLength(2);
});

it('stops a job that the server does not know any more, but not at the first word of it', async () => {
  await using opened = await openReport(temp.path);
  const { channel, clock, reporter } = opened;
  channel.fault = () => {
    throw new ReportFailure('gone', 'unregistered runner');
  };
  await clock.advance(50_000);
  await clock.idle();
  expect(reporter.cancelled.aborted).toBe(false);
  await clock.advance(30_000);
  await clock.idle();
  expect(reporter.cancelled.reason).toMatchObject({ message: 'the instance does not know the job any more' });
  const finished = reporter.finish('cancelled', new Map());
  await clock.advance(150_000);
  await finished;
  expect(await reporter.settled).toBe('refused');
  expect(await readJobFile(opened.folder)).toMatchObject({ delivery: 'refused', ended: { result: 'cancelled' } });
});

it('takes a runner that is gone after the result for one that the server deleted with it', async () => {
  await using opened = await openReport(temp.path);
  let isKnown = false;
  opened.channel.fault = (call) => {
    if (isKnown) throw new ReportFailure('gone', 'unregistered runner');
    isKnown = call.kind === 'task' && call.state.result !== undefined;
    return isKnown ? 'after' : undefined;
  };
  const finished = opened.reporter.finish('success', new Map());
  await opened.clock.advance(1000);
  expect(await finished).toBe('delivered');
});

it('lets go of a job whose result cannot be delivered, and delivers it beside other work', async () => {
  await using opened = await openReport(temp.path);
  const { channel, clock, reporter } = opened;
  channel.fault = () => 'before';
  const finished = reporter.finish('success', new Map([['a', '1']]));
  await clock.advance(5 * 60_000);
  expect(await finished).toBe('pending');
  expect(channel.calls.length).toBeGreaterThanOrEqual(10);
  expect(await readJobFile(opened.folder)).toMatchObject({ ended: { result: 'success', outputs: [['a', '1']] } });
  channel.fault = () => undefined;
  await clock.advance(60_000);
  expect(await reporter.settled).toBe('delivered');
  expect(channel.state()?.result).toBe('success');
  expect(await readJobFile(opened.folder)).toMatchObject({ delivery: 'delivered', ended: { outputs: [] } });
});

it('gives up after a day', async () => {
  await using opened = await openReport(temp.path, {
    settings: { retry: { maxRetries: 1, initialDelayMs: 60_000, maxDelayMs: 0 } },
  });
  opened.channel.fault = () => 'before';
  const finished = opened.reporter.finish('success', new Map());
  await opened.clock.advance(24 * 60 * 60_000 + 60_000);
  expect(await finished).toBe('pending');
  expect(await opened.reporter.settled).toBe('given-up');
});
