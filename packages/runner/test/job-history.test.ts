import { readdir, rm, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually, openTempFolder, type TempFolder } from '@forgejo-runner/testkit';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Interruption } from '../src/io.ts';
import { main as runMain } from '../src/main.ts';
import { pruneJobs } from '../src/report/job-history.ts';
import type { ReportedJob } from '../src/report/report-options.ts';
import { fakeIo } from './fake-io.ts';
import { heldClock } from './held-clock.ts';
import { complete, main, type OpenedReport, openReport, rowsOf, runStep, setUp } from './open-report.ts';

const day = 24 * 60 * 60_000;
const plenty = { jobs: 1000, ageMs: 1000 * day, bytes: 1e9 };

let temp: TempFolder;
let parent: string;
beforeEach(async () => {
  temp = await openTempFolder();
  parent = temp.join('forgejo-runner');
});
afterEach(() => temp[Symbol.asyncDispose]());

it('lists jobs with what became of them, those that started last first', async () => {
  await finished('1', 1_000_000);
  const failing = await openReport(parent, { job: { taskId: '2' }, clock: heldClock(2_000_000) });
  failing.channel.fault = () => 'before';
  const left = failing.reporter.finish('failure', new Map());
  await failing.clock.advance(60_000);
  await failing[Symbol.asyncDispose]();
  await left;
  await using running = await openReport(parent, {
    job: { taskId: '3', repository: 'me/\u001b[31mred' },
    clock: heldClock(3_000_000),
  });
  await running.reporter.report.rows(setUp, rowsOf('a'));
  const { stdout, code } = await cli('jobs');
  expect(code).toBe(0);
  expect(stdout).toBe(
    [
      'JOB  RESULT                      STARTED              TOOK   REPOSITORY  WORKFLOW  NAME   BACKEND  ROWS',
      '3    running                     1970-01-01 00:50:00  -      me/red      test.yml  build  host     -',
      '2    failure (not reported yet)  1970-01-01 00:33:20  0 ms   me/project  test.yml  build  host     0',
      '1    success                     1970-01-01 00:16:40  5.0 s  me/project  test.yml  build  host     3',
      '',
    ].join('\n'),
  );
});

it('lists jobs as JSON', async () => {
  await finished('1', 1_000_000);
  const { stdout } = await cli('jobs', '--json');
  expect(JSON.parse(stdout)).toEqual({
    schema: 1,
    jobs: [
      {
        id: '1',
        taskId: '1',
        connection: 'main',
        repository: 'me/project',
        workflow: 'test.yml',
        job: 'build',
        backend: 'host',
        delivery: 'delivered',
        rows: 3,
        bytes: expect.any(Number),
        result: 'success',
        started: '1970-01-01T00:16:40.000Z',
        stopped: '1970-01-01T00:16:45.000Z',
        durationMs: 5000,
      },
    ],
  });
});

it('says that there are no jobs where there are none', async () => {
  expect((await cli('jobs')).stdout).toBe('No job is known here\n');
  expect(JSON.parse((await cli('jobs', '--json')).stdout)).toEqual({ schema: 1, jobs: [] });
});

it('shows the log of a job: whole, of one step, with times', async () => {
  await finished('12', 1_000_000);
  expect(await cli('logs', '12')).toEqual({ code: 0, stdout: 'a\nb\nc\n', stderr: '12: success\n' });
  expect((await cli('logs', '12', '--step', '1')).stdout).toBe('b\n');
  expect((await cli('logs', '12', '--step', '3')).stdout).toBe('');
  expect((await cli('logs', '12', '--timestamps')).stdout.split('\n')[0]).toBe('1970-01-01T00:16:40.000Z a');
});

it('takes the id of a task for a job where only one connection has it', async () => {
  await using _one = await openReport(parent, { job: { taskId: '5' }, id: 'main-5' });
  expect((await cli('logs', '5')).code).toBe(0);
  await using _other = await openReport(parent, { job: { taskId: '5' }, id: 'other-5' });
  const several = await cli('logs', '5');
  expect(several.code).toBe(1);
  expect(several.stderr).toContain('expected one job "5", found tasks of several connections');
  expect((await cli('logs', 'other-5')).code).toBe(0);
  const unknown = await cli('logs', '77');
  expect(unknown.code).toBe(1);
  expect(unknown.stderr).toContain('expected one job "77", found none');
  expect((await cli('logs', 'main-5', '--step', 'x')).code).toBe(64);
});

it('never leaves the folder of jobs', async () => {
  await finished('1', 1_000_000);
  expect((await cli('logs', '../jobs/1')).code).toBe(1);
});

it('lets no row act on the terminal of the reader', async () => {
  await using opened = await openReport(parent, { job: { taskId: '1' } });
  await opened.reporter.report.rows(complete, rowsOf('\u001b]0;title\u0007x\u001b[2J'));
  expect((await cli('logs', '1')).stdout).toBe('x\n');
});

it('follows a job until it has ended', async () => {
  const opened = await openReport(parent, { job: { taskId: '1' } });
  await opened.reporter.report.rows(setUp, rowsOf('a'));
  const fake = fakeIo({ env: { XDG_STATE_HOME: temp.path } });
  const code = runMain(['logs', '--follow', '1'], fake.io);
  await eventually(() => fake.stdout() === 'a\n');
  await opened.reporter.report.rows(main(0), rowsOf('b'));
  await eventually(() => fake.stdout() === 'a\nb\n');
  await opened.reporter.report.rows(complete, rowsOf('c'));
  await opened.reporter.finish('cancelled', new Map());
  expect(await code).toBe(0);
  expect(fake.stdout()).toBe('a\nb\nc\n');
  expect(fake.stderr()).toBe('1: cancelled\n');
  await opened[Symbol.asyncDispose]();
});

it('ends with the signal of the reader', async () => {
  await using opened = await openReport(parent, { job: { taskId: '1' } });
  await opened.reporter.report.rows(setUp, rowsOf('a'));
  const fake = fakeIo({ env: { XDG_STATE_HOME: temp.path } });
  const code = runMain(['logs', '-f', '1'], fake.io);
  await eventually(() => fake.stdout() === 'a\n');
  fake.interrupt.abort(new Interruption('SIGINT'));
  expect(await code).toBe(130);
});

it('ends when the job that it follows is removed', async () => {
  await using opened = await openReport(parent, { job: { taskId: '1' } });
  await opened.reporter.report.rows(setUp, rowsOf('a'));
  const fake = fakeIo({ env: { XDG_STATE_HOME: temp.path } });
  const code = runMain(['logs', '-f', '1'], fake.io);
  await eventually(() => fake.stdout() === 'a\n');
  await rm(opened.folder, { recursive: true });
  expect(await code).toBe(0);
});

it('has limits of its own where nobody set any', async () => {
  await finished('1', day);
  expect(await pruneJobs(join(parent, 'jobs'), 14 * day)).toEqual([]);
  expect(await pruneJobs(join(parent, 'jobs'), 15.1 * day)).toEqual(['1']);
});

it('keeps the newest jobs within limits of number, size and age', async () => {
  for (const [index, taskId] of ['1', '2', '3', '4'].entries()) await finished(taskId, (index + 1) * day);
  await temp.write({ 'forgejo-runner/jobs/broken/job.json': '{}', 'forgejo-runner/jobs/fresh/job.json': '{}' });
  await utimes(join(parent, 'jobs', 'broken'), 0, 0);
  const folder = join(parent, 'jobs');
  expect(await pruneJobs(folder, 5 * day, plenty)).toEqual([]);
  expect(await pruneJobs(folder, 5 * day, { ...plenty, ageMs: 3.5 * day })).toEqual(['1', 'broken']);
  expect(await pruneJobs(folder, 5 * day, { ...plenty, jobs: 2 })).toEqual(['2']);
  expect(await pruneJobs(folder, 5 * day, { ...plenty, bytes: 200 })).toEqual(['3']);
  expect((await readdir(folder)).toSorted()).toEqual(['4', 'fresh']);
});

it('never removes a job that is not reported', async () => {
  await using running = await openReport(parent, { job: { taskId: '1' } });
  expect(await pruneJobs(join(parent, 'jobs'), 9 * day, { jobs: 0, ageMs: 0, bytes: 0 })).toEqual([]);
  expect(await readdir(running.folder)).toContain('job.json');
});

/** A job of five seconds with a row each before, in and after its first step. */
async function finished(taskId: string, startMs: number, job: Partial<ReportedJob> = {}): Promise<OpenedReport> {
  const opened = await openReport(parent, { job: { taskId, ...job }, clock: heldClock(startMs) });
  const at = (text: string): { readonly atMs: number; readonly text: string }[] => [{ atMs: startMs, text }];
  await opened.reporter.report.rows(setUp, at('a'));
  await runStep(opened, { index: 0, texts: ['b'] });
  await opened.reporter.report.rows(complete, at('c'));
  await opened.clock.advance(5000);
  await opened.reporter.finish('success', new Map());
  await opened[Symbol.asyncDispose]();
  return opened;
}

async function cli(...args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const fake = fakeIo({ env: { XDG_STATE_HOME: temp.path } });
  const code = await runMain(args, fake.io);
  return { code, stdout: fake.stdout(), stderr: fake.stderr() };
}
