import { join } from 'node:path';
import {
  checkReport,
  type FakeForgejo,
  type FakeJob,
  type Fault,
  openTempFolder,
  startFakeForgejo,
  webPage,
} from '@forgejo-runner/testkit';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { type InstanceConnection, openConnection } from '../src/forgejo/connection.ts';
import { readInstanceUrl } from '../src/forgejo/instance-url.ts';
import { RequestKey } from '../src/poll/request-key.ts';
import { closingRows } from '../src/report/closing-rows.ts';
import type { JobResult } from '../src/report/job-report.ts';
import { openReporter } from '../src/report/reporter.ts';
import { heldClock } from './held-clock.ts';
import { main, recordingLog, rowsOf, runStep, settings, someJob } from './open-report.ts';

const never = new AbortController().signal;

interface OpenedTask extends AsyncDisposable {
  readonly forgejo: FakeForgejo;
  readonly connection: InstanceConnection;
  readonly job: FakeJob;
}

/** A server, a connection to it, and a task that it gave. */
async function openTask(codec: 'json' | 'binary'): Promise<OpenedTask> {
  const forgejo = await startFakeForgejo();
  const { uuid, token } = forgejo.addRunner();
  const connection = openConnection({
    name: 'main',
    address: readInstanceUrl(forgejo.url),
    uuid,
    token,
    codec,
    insecure: false,
    env: {},
    // In true time: as long as a request without an answer holds a test up.
    timeoutMs: 2000,
    fetchTimeoutMs: 60_000,
    requestKey: new RequestKey(),
    log: recordingLog([]),
  });
  const job = forgejo.addJob('{ runs-on: linux, steps: [{ run: one }, { run: two }] }');
  const { tasks, confirm } = await connection.fetchTasks({ capacity: 2, labels: ['linux'] }, never);
  await confirm();
  expect(tasks.map(({ id }) => id)).toEqual([1n]);
  const close = async (): Promise<void> => {
    connection[Symbol.dispose]();
    await forgejo[Symbol.asyncDispose]();
  };
  return { forgejo, connection, job, [Symbol.asyncDispose]: close };
}

const faults: readonly Fault[] = [
  { kind: 'answer', status: 502 },
  { kind: 'answer', status: 429, headers: { 'retry-after': '3' } },
  webPage(200),
  webPage(503),
  { kind: 'error', code: 'internal', message: 'database is locked' },
  { kind: 'reset', when: 'before' },
  { kind: 'reset', when: 'after' },
  { kind: 'half' },
  { kind: 'overtaken' },
  { kind: 'twice' },
  { kind: 'slow', ms: 5, when: 'before' },
  { kind: 'altered', alter: () => '{"ackIndex":' },
];
const event = fc.oneof(
  fc.record({ kind: fc.constant('rows' as const), count: fc.integer({ min: 1, max: 1500 }) }),
  fc.record({ kind: fc.constant('time' as const), ms: fc.integer({ min: 1, max: 8000 }) }),
);
const results: readonly JobResult[] = ['success', 'failure', 'cancelled'];
const story = fc.record({
  events: fc.array(event, { maxLength: 6 }),
  // Undefined goes well.
  faults: fc.array(fc.option(fc.constantFrom(...faults), { nil: undefined, freq: 2 }), { maxLength: 20 }),
  result: fc.constantFrom(...results),
  codec: fc.constantFrom('json' as const, 'binary' as const),
});

it('brings each row once and in order, and the right states, over a network that loses, cuts and repeats', async () => {
  const tell = async ({ events, faults, result, codec }: typeof story extends fc.Arbitrary<infer S> ? S : never) => {
    await using temp = await openTempFolder();
    await using opened = await openTask(codec);
    const { forgejo, connection, job } = opened;
    const clock = heldClock();
    const reporter = await openReporter({
      job: { ...someJob, taskId: '1', stepNames: ['One', 'Two'] },
      folder: join(temp.path, '1'),
      channel: connection.reports,
      settings,
      clock,
      log: recordingLog([]),
    });
    void reporter.settled.then(clock.stop);
    const left = [...faults];
    forgejo.scenario.choose(({ procedure }) => {
      const fault = left.shift();
      // A state that comes late is older than what the server has; that is no fault of the report.
      return fault?.kind === 'overtaken' && procedure !== 'UpdateLog' ? undefined : fault;
    });
    const texts = ['first'];
    await runStep({ reporter, clock }, { index: 0, texts });
    reporter.report.step({ kind: 'started', index: 1, stage: 'main', name: 'Two', atMs: clock.now() });
    for (const one of events) {
      if (one.kind === 'time') {
        await clock.advance(one.ms);
        continue;
      }
      const more = Array.from({ length: one.count }, (_, number) => `row ${texts.length + number}`);
      texts.push(...more);
      await reporter.report.rows(main(1), rowsOf(...more));
    }
    const step = { index: 1, stage: 'main', name: 'Two', atMs: clock.now() } as const;
    reporter.report.step({ kind: 'finished', ...step, outcome: result, conclusion: result });
    const finished = reporter.finish(result, new Map([['a', '1']]));
    await clock.advance(60 * 60_000);
    await finished;
    expect(await reporter.settled).toBe('delivered');
    await reporter[Symbol.asyncDispose]();
    expect(job.texts()).toEqual([...texts, closingRows[result]]);
    expect(checkReport(job)).toEqual([]);
    expect([job.status(), job.outputs(), job.token()]).toEqual([result, { a: '1' }, undefined]);
    expect(job.stepTexts(1)).toEqual(texts.slice(1));
    expect(Math.max(forgejo.record.mostAtOnce('UpdateLog'), forgejo.record.mostAtOnce('UpdateTask'))).toBe(1);
  };
  const short = { events: [{ kind: 'time', ms: 1000 }], result: 'success', codec: 'json' } as const;
  await fc.assert(fc.asyncProperty(story, tell), {
    examples: [
      // Half an answer is no refusal: the log goes on.
      [{ ...short, events: [...short.events], faults: [{ kind: 'altered', alter: () => '{"ackIndex":' }] }],
      // The last rows do not get through: the state that is sent beside them names none of them.
      [{ ...short, events: [], faults: [{ kind: 'answer', status: 502 }] }],
    ],
    numRuns: process.env['FORGEJO_RUNNER_NIGHTLY'] === '1' ? 1000 : 30,
  });
});
