/**
 * Prints what a daemon asks of its instance, how soon it does what is to be done, and what it needs for that: a built
 * runner with the backend `host` against the Forgejo instance in memory of the testkit, which runs in this process.
 *
 *     node --conditions=@forgejo-runner/source bench/daemon.ts
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { eventually, type FakeForgejo, type FakeJob, startFakeForgejo } from '@forgejo-runner/testkit';
import { type BuiltRunner, buildRunner } from '../e2e/built-runner.ts';
import { openHome, type RunnerHome, type StartedRunner } from '../e2e/daemon-runner.ts';

const watchedMs = 9000;
const lineCount = 200_000;
const jobCount = 50;

await using built = await buildRunner();
await startUp(built);
await requestsAndMemory(built);
await latency(built);
await manyLines(built);
await manyJobs(built);

/** With the intervals that runners have by default. */
function openDefault(forgejo: FakeForgejo, command: BuiltRunner['command'], capacity = 1): Promise<RunnerHome> {
  const runner = { fetch_interval: '2s', report_interval: '1s', shutdown_timeout: '0s' };
  return openHome({ command, connections: { main: { forgejo } }, capacity, runner });
}

async function startUp({ command }: BuiltRunner): Promise<void> {
  const times: number[] = [];
  for (let round = 0; round < 5; round += 1) {
    await using forgejo = await startFakeForgejo();
    await using home = await openDefault(forgejo, command);
    const from = performance.now();
    await using _runner = home.start();
    await eventually(() => forgejo.record.count('FetchTask') > 0, { intervalMs: 2, timeoutMs: 60_000 });
    times.push(performance.now() - from);
  }
  console.log(`start to first question for work   ${median(times).toFixed(0)} ms (median of ${times.length})`);
}

async function requestsAndMemory({ command }: BuiltRunner): Promise<void> {
  await using forgejo = await startFakeForgejo();
  await using home = await openDefault(forgejo, command);
  await using runner = home.start();
  await eventually(() => forgejo.record.count('FetchTask') > 0, { timeoutMs: 60_000 });
  const idle = await requestsPerMinute(forgejo);
  console.log(`requests in an idle minute         ${idle} (from ${watchedMs / 1000} s)`);
  console.log(`memory of an idle daemon           ${await memoryOf(runner, 'VmRSS')} MB`);
  const job = forgejo.addJob('{ runs-on: linux, steps: [{ run: echo started; sleep 600 }] }');
  await eventually(() => job.texts().includes('started'), { timeoutMs: 60_000 });
  await wait(2000);
  console.log(`requests in a silent minute of a job  ${await requestsPerMinute(forgejo)}`);
  job.cancel();
  const cancelledAtMs = Date.now();
  await eventually(async () => (await home.leftProcesses()).length === 0, { intervalMs: 20, timeoutMs: 60_000 });
  console.log(`cancellation to the end of the process  ${Date.now() - cancelledAtMs} ms`);
}

async function requestsPerMinute(forgejo: FakeForgejo): Promise<number> {
  forgejo.record.clear();
  await wait(watchedMs);
  return Math.round((forgejo.record.count() * 60_000) / watchedMs);
}

async function latency({ command }: BuiltRunner): Promise<void> {
  await using forgejo = await startFakeForgejo();
  await using home = await openDefault(forgejo, command);
  await using _runner = home.start();
  await eventually(() => forgejo.record.count('FetchTask') > 0, { timeoutMs: 60_000 });
  const [asked, began, ended]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round < 8; round += 1) {
    // Anywhere between two questions for work.
    await wait(round * 250);
    const addedAtMs = Date.now();
    const job = forgejo.addJob('{ runs-on: linux, steps: [{ run: date +last-%s%3N }] }');
    await job.ended();
    const [pickedAtMs, doneAtMs] = [atOf(job, 'picked'), atOf(job, 'ended')];
    asked.push(pickedAtMs - addedAtMs);
    began.push((job.steps()[0]?.startedAtMs ?? Number.NaN) - pickedAtMs);
    ended.push(doneAtMs - lastLineAtMs(job));
  }
  console.log(`job there to job taken             ${median(asked).toFixed(0)} ms (asked for every 2 s)`);
  console.log(`job taken to first step            ${median(began).toFixed(0)} ms`);
  console.log(`last line to result at the server  ${median(ended).toFixed(0)} ms`);
}

function atOf(job: FakeJob, kind: 'picked' | 'ended'): number {
  return job.timeline().find((event) => event.kind === kind)?.atMs ?? Number.NaN;
}

function lastLineAtMs(job: FakeJob): number {
  return Number(/last-(\d+)/.exec(job.stepTexts(0).find((text) => /^last-\d+$/.test(text)) ?? '')?.[1]);
}

async function manyLines({ command }: BuiltRunner): Promise<void> {
  await using forgejo = await startFakeForgejo();
  await using home = await openDefault(forgejo, command);
  await using runner = home.start();
  await eventually(() => forgejo.record.count('FetchTask') > 0, { timeoutMs: 60_000 });
  const line = 'a line as compilers print them, of one hundred characters, so that it is of the usual length: '.padEnd(
    92,
  );
  const job = forgejo.addJob({
    workflow: `{ runs-on: linux, steps: [{ run: 'seq -f "${line}%08g" ${lineCount}' }] }`,
  });
  await job.ended({ timeoutMs: 300_000 });
  const [step] = job.steps();
  const tookMs = atOf(job, 'ended') - (step?.startedAtMs ?? Number.NaN);
  const rate = Math.round((lineCount / tookMs) * 1000).toLocaleString('en');
  const requests = forgejo.record.count('UpdateLog');
  const complete = job.texts().length >= lineCount ? '' : ' (LINES ARE MISSING)';
  console.log(
    `${lineCount.toLocaleString('en')} lines to their server          ${rate} lines/s${complete}, ${requests} requests`,
  );
  console.log(`  peak memory of the daemon        ${await memoryOf(runner, 'VmHWM')} MB`);
}

async function manyJobs({ command }: BuiltRunner): Promise<void> {
  await using forgejo = await startFakeForgejo();
  await using home = await openDefault(forgejo, command, jobCount);
  const script =
    'for i in $(seq 1000); do echo "line $i of a job that prints"; [ $((i % 100)) = 0 ] && sleep 0.5; done';
  const jobs = Array.from({ length: jobCount }, () =>
    forgejo.addJob(`{ runs-on: linux, steps: [{ run: '${script}' }] }`),
  );
  await using runner = home.start();
  const from = performance.now();
  for (const job of jobs) await job.ended({ timeoutMs: 300_000 });
  const tookMs = performance.now() - from;
  const good = jobs.filter((job) => job.status() === 'success').length;
  console.log(`${jobCount} jobs at once, 1,000 lines each     ${(tookMs / 1000).toFixed(1)} s, ${good} succeeded`);
  console.log(`  peak memory of the daemon        ${await memoryOf(runner, 'VmHWM')} MB`);
}

/** Of the process, without what jobs run. */
async function memoryOf({ pid }: StartedRunner, field: 'VmRSS' | 'VmHWM'): Promise<string> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  const kilobytes = Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
  return (kilobytes / 1024).toFixed(0);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
