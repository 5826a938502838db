import { join } from 'node:path';
import { openTempFolder } from '@forgejo-runner/testkit';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { JobResult } from '../src/report/job-report.ts';
import { closingRows } from '../src/report/closing-rows.ts';
import { recoverReports } from '../src/report/recover-reports.ts';
import { fakeChannel } from './fake-channel.ts';
import { heldClock } from './held-clock.ts';
import { main, type OpenedReport, openReport, recordingLog, rowsOf, runStep, settings } from './open-report.ts';

type Event =
  | { readonly kind: 'rows'; readonly count: number }
  | { readonly kind: 'time'; readonly ms: number }
  | { readonly kind: 'forget'; readonly rows: number };

const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ kind: fc.constant('rows' as const), count: fc.integer({ min: 1, max: 1500 }) }),
  fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 8000 }) }),
  fc.record({ kind: fc.constant('forget' as const), rows: fc.integer({ min: 1, max: 50 }) }),
);
const fault = fc.oneof(
  { weight: 2, arbitrary: fc.constant(undefined) },
  fc.constant('before' as const),
  fc.constant('after' as const),
);
const results: readonly JobResult[] = ['success', 'failure', 'cancelled'];

it('brings each row once and in order, and the right result, whatever gets lost on the way', async () => {
  const run = fc.record({
    events: fc.array(event, { maxLength: 8 }),
    faults: fc.array(fault, { maxLength: 30 }),
    result: fc.constantFrom(...results),
    dies: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(run, async ({ events, faults, result, dies }) => {
      await using temp = await openTempFolder();
      const channel = fakeChannel();
      const left = [...faults];
      channel.fault = () => left.shift();
      const opened = await openReport(temp.path, { channel });
      const texts = await play(opened, events);
      const end = dies ? await recover(opened, temp.path) : await finish(opened, result);
      expect(channel.texts()).toEqual([...texts, ...end.rows]);
      expect(channel.state()?.result).toBe(end.result);
      expect([...channel.outputs.keys()]).toEqual(end.outputs);
      expect(channel.isArchived()).toBe(true);
      expect(channel.mostAtOnce()).toBe(1);
      const lengths = channel.state()?.steps.map(({ logLength }) => logLength);
      expect(lengths).toEqual([1, texts.length - 1, 0]);
    }),
    { numRuns: process.env['FORGEJO_RUNNER_NIGHTLY'] === '1' ? 1000 : 40 },
  );
});

interface End {
  readonly rows: readonly string[];
  readonly result: JobResult;
  readonly outputs: readonly string[];
}

async function finish({ reporter, clock }: OpenedReport, result: JobResult): Promise<End> {
  const finished = reporter.finish(result, new Map([['a', '1']]));
  await clock.advance(60 * 60_000);
  await finished;
  expect(await reporter.settled).toBe('delivered');
  await reporter[Symbol.asyncDispose]();
  return { rows: [closingRows[result]], result, outputs: ['a'] };
}

/** The runner dies, and another one takes over. */
async function recover({ reporter, channel, clock }: OpenedReport, path: string): Promise<End> {
  await reporter[Symbol.asyncDispose]();
  const later = heldClock(clock.now());
  const options = {
    folder: join(path, 'jobs'),
    channelOf: () => channel,
    isAlive: () => false,
    settings,
    clock: later,
    log: recordingLog([]),
  };
  const recovering = recoverReports(options, new AbortController().signal);
  void recovering.then(later.stop);
  await later.advance(60 * 60_000);
  expect(await recovering).toMatchObject([{ delivery: 'delivered' }]);
  const reason = '##[error]The runner was stopped while this job ran';
  return { rows: [reason, closingRows.failure], result: 'failure', outputs: [] };
}

/** Lets a job print, time pass and the server forget. @returns the rows that were printed. */
async function play(opened: OpenedReport, events: readonly Event[]): Promise<readonly string[]> {
  const { reporter, clock, channel } = opened;
  const texts: string[] = ['first'];
  await runStep(opened, { index: 0, texts });
  reporter.report.step({ kind: 'started', index: 1, stage: 'main', name: 'Two', atMs: clock.now() });
  for (const one of events) {
    if (one.kind === 'rows') {
      const more = Array.from({ length: one.count }, (_, number) => `row ${texts.length + number}`);
      texts.push(...more);
      await reporter.report.rows(main(1), rowsOf(...more));
    } else if (one.kind === 'time') {
      await clock.advance(one.ms);
      await clock.idle();
    } else {
      channel.forget(Math.min(one.rows, channel.rows.length));
    }
  }
  return texts;
}
