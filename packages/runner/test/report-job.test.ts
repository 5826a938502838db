import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../src/report/report-clock.ts';
import type { Reporter } from '../src/report/report-options.ts';
import { openReporter } from '../src/report/reporter.ts';
import { type FakeChannel, fakeChannel } from './fake-channel.ts';
import { recordingLog, settings, someJob } from './open-report.ts';
import { jobOf, runSteps, startYaml } from './run-yaml.ts';

let temp: TempFolder;
let channel: FakeChannel;
let reporter: Reporter;
const warnings: string[] = [];
beforeEach(async () => {
  warnings.length = 0;
  temp = await openTempFolder();
  channel = fakeChannel({ summaries: true });
  reporter = await openReporter({
    job: { ...someJob, stepNames: ['1', '2', '3', '4', '5'] },
    folder: temp.join('7'),
    channel,
    settings: { ...settings, intervalMs: 20 },
    clock: systemClock,
    log: recordingLog(warnings),
  });
});
afterEach(async () => {
  await reporter[Symbol.asyncDispose]();
  await temp[Symbol.asyncDispose]();
  if (warnings.length > 0) throw new Error(`expected no warning, found ${warnings.join(', ')}`);
});

const files = {
  'mine/action.yml': 'name: Mine\nruns: { using: node20, main: main.js, post: post.js }\n',
  'mine/main.js': "console.log('main of the action')",
  'mine/post.js': "console.log('post of the action')",
};

it('shows each step with its own rows, and the rest before and after them', async () => {
  const ran = await runSteps(
    `
- run: echo "one $SECRET"; echo "# Words with $SECRET" >> "$GITHUB_STEP_SUMMARY"
  env: { SECRET: "\${{ secrets.PASS }}" }
- uses: ./mine
- if: failure()
  run: echo never
- run: 'seq 1 3000; echo "::error file=a.c,line=3::broken"; exit 3'
- if: always()
  run: echo last`,
    { report: reporter.report, files, secrets: { PASS: 'hunter2-secret' } },
  );
  const job = ran.job();
  expect(await reporter.finish(job.result ?? 'cancelled', new Map())).toBe('delivered');

  const steps = channel.state()?.steps ?? [];
  expect(steps.map(({ index, result }) => [index, result])).toEqual([
    [0, 'success'],
    [1, 'success'],
    [2, 'skipped'],
    [3, 'failure'],
    [4, 'success'],
  ]);
  const rowsOf = (index: number): readonly string[] => {
    const range = steps[index];
    return range === undefined ? [] : channel.texts().slice(range.logIndex, range.logIndex + range.logLength);
  };
  const mainRows = (index: number): readonly string[] =>
    job.rows
      .filter(({ section }) => section.kind === 'step' && section.index === index && section.stage === 'main')
      .map(({ text }) => text);
  for (const { index } of steps) expect(rowsOf(index)).toEqual(mainRows(index));
  expect(rowsOf(0)).toContain('one ***');
  expect(rowsOf(3)).toContain('##[error]a.c:3: broken');
  // The server finds the end of the job by adding the steps up.
  let endOfSteps = steps[0]?.logIndex ?? 0;
  for (const { logLength } of steps) endOfSteps += logLength;
  expect(channel.texts().slice(endOfSteps)).toEqual(
    expect.arrayContaining(['▸ Post Run ./mine', 'post of the action', 'Job failed']),
  );
  expect(channel.calls).toContainEqual(expect.objectContaining({ kind: 'summary', markdown: '# Words with ***\n' }));
  for (const name of await readdir(temp.join('7'))) {
    expect(await readFile(join(temp.path, '7', name), 'utf8')).not.toContain('hunter2');
  }
});

it('cancels a job that was cancelled on the server, and shows what it still did', async () => {
  const steps = "- run: 'echo started; sleep 600'\n- if: cancelled()\n  run: echo cleaned up\n- run: echo never";
  const started = await startYaml(jobOf(steps), { report: reporter.report, signal: reporter.cancelled });
  const { fault } = channel;
  channel.fault = (call) => {
    if (channel.texts().includes('started')) channel.end('cancelled');
    return fault(call);
  };
  await started.done;
  expect(started.job().result).toBe('cancelled');
  await reporter.finish('cancelled', new Map());
  expect(channel.texts()).toEqual(expect.arrayContaining(['started', 'cleaned up', 'Job was cancelled']));
  expect(channel.texts()).not.toContain('never');
  expect(channel.isArchived()).toBe(true);
});
