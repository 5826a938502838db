import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import type { LogRow } from '../report/job-report.ts';
import { hasUnicode, openRunPrinter, type RunPrinter, type RunPrinterOptions } from './print-run.ts';
import type { PrintedJob } from './printed-job.ts';

const start = Date.UTC(2026, 0, 2, 3, 4, 5);

/** A terminal that keeps what it gets. */
function terminal(): { readonly stream: Writable; readonly text: () => string } {
  let text = '';
  const stream = new Writable({
    write: (chunk, _encoding, done) => {
      text += String(chunk);
      done();
    },
  });
  return { stream, text: () => text };
}

function open(options: Partial<RunPrinterOptions> = {}): { readonly printer: RunPrinter; readonly text: () => string } {
  const { stream, text } = terminal();
  let atMs = start;
  const printer = openRunPrinter({
    stdout: stream,
    color: false,
    verbose: false,
    json: false,
    now: () => (atMs += 1000) - 1000,
    ...options,
  });
  return { printer, text };
}

const rows = (...texts: readonly string[]): LogRow[] => texts.map((text) => ({ atMs: start, text }));
const step = (index: number) => ({ kind: 'step', index, stage: 'main' }) as const;

async function runBuild(job: PrintedJob): Promise<void> {
  await job.rows({ kind: 'set-up' }, rows('Job "build" on label "ci"'));
  job.step({ ...step(0), kind: 'started', name: 'Run make', atMs: start });
  await job.rows(step(0), rows('##[group]Compile', 'cc a.c', '##[error]a.c:1:2: broken', '##[endgroup]', 'bye'));
  job.annotation({ level: 'error', message: 'broken', file: 'a.c', line: 1, column: 2, step: 0 });
  job.summary(0, '# Result\nbad\n');
  job.step({
    ...step(0),
    kind: 'finished',
    name: 'Run make',
    outcome: 'failure',
    conclusion: 'failure',
    reason: 'exit code 2',
    atMs: start + 1234,
  });
  job.step({
    ...step(1),
    kind: 'finished',
    name: 'Run make install',
    outcome: 'skipped',
    conclusion: 'skipped',
    atMs: start,
  });
  job.step({ ...step(0), stage: 'post', kind: 'started', name: 'cache', atMs: start });
  job.step({
    ...step(0),
    stage: 'post',
    kind: 'finished',
    name: 'cache',
    outcome: 'failure',
    conclusion: 'success',
    atMs: start + 5,
  });
  job.finished(
    {
      result: 'failure',
      outputs: new Map([
        ['version', '1.2'],
        ['__proto__', 'x'],
      ]),
    },
    2500,
  );
}

describe('openRunPrinter', () => {
  it('prints one job plainly', async () => {
    const { printer, text } = open({ jobNames: ['build'] });
    await runBuild(printer.job('build', 'build'));
    await printer.close();
    expect(text()).toBe(`▶ Set up job
  Job "build" on label "ci"
▶ Run make
  ▼ Compile
    cc a.c
    Error: a.c:1:2: broken
  bye
  Summary of Run make
  │ # Result
  │ bad
✘ Run make (1.2 s): exit code 2
○ Run make install (skipped)
▶ Post cache
✘ Post cache (5 ms, failed but continue-on-error)
✘ Job build: failure (2.5 s)

Summary
✘ build               2.5 s  failure
  ✘ Run make          1.2 s  exit code 2
  ○ Run make install         skipped
  ✘ Post cache         5 ms  continue-on-error

Remarks of build
  Error: a.c:1:2: broken

1 job: 1 failed, 1.0 s
`);
  });

  it('prints several jobs at once, each row with its job', async () => {
    const { printer, text } = open({ unicode: false });
    const build = printer.job('build', 'build');
    const long = printer.job('test', 'test (a name that is long)');
    build.step({ ...step(0), kind: 'started', name: 'a', atMs: start });
    long.step({ ...step(0), kind: 'started', name: 'b', atMs: start });
    await build.rows(step(0), rows('##[group]G', 'one'));
    await long.rows(step(0), rows('two', '##[endgroup]', 'three'));
    build.finished({ result: 'success', outputs: new Map() }, 1);
    printer.job('deploy', 'deploy').finished({ result: 'skipped', outputs: new Map() }, 0);
    await printer.close();
    expect(text()).toBe(`build    | > a
test (a… | > b
build    |   v G
build    |     one
test (a… |   two
test (a… |   three
build    | + Job build: success (1 ms)
deploy   | - Job deploy: skipped

Summary
+ build                       1 ms  success
  ! a                               cancelled
! test (a name that is long)        cancelled
  ! b                               cancelled
- deploy                            skipped

3 jobs: 1 cancelled, 1 succeeded, 1 skipped, 1.0 s
`);
  });

  it('prints colours of its own and of the job, and nothing else that acts on a terminal', async () => {
    const { printer, text } = open({ color: true, jobNames: ['\u001b]0;t\u0007b'] });
    const job = printer.job('b', '\u001b]0;t\u0007b');
    await job.rows(step(0), rows('\u001b[32mgreen\u001b[0m\u001b[2J', '##[error]\u001b[2Jx'));
    job.step({ ...step(0), kind: 'started', name: 'a\u001b[2J\nb', atMs: start });
    job.annotation({ level: 'warning', message: 'w\u001b[2J', step: 0 });
    job.finished({ result: 'success', outputs: new Map() }, 0);
    await printer.close();
    expect(text()).toContain('  \u001b[32mgreen\u001b[0m\u001b[0m\n');
    expect(text()).toContain('\u001b[31mError: x\u001b[39m\n');
    expect(text().replaceAll(/\u001b\[\d+m/g, '')).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
  });

  it('prints no escape sequence without colours', async () => {
    const { printer, text } = open();
    await printer.job('b', 'b').rows(step(0), rows('\u001b[32mgreen\u001b[0m', '##[warning]\u001b[1mw'));
    await printer.close();
    expect(text()).not.toContain('\u001b');
    expect(text()).toContain('green\n');
    expect(text()).toContain('Warning: w\n');
  });

  it('fits names into a terminal', async () => {
    const { stream, text } = terminal();
    const stdout = Object.assign(stream, { isTTY: true, columns: 60 });
    const { printer } = open({ stdout, jobNames: ['b'] });
    const job = printer.job('b', 'b');
    job.step({ ...step(0), kind: 'started', name: 'n'.repeat(300), atMs: start });
    job.step({
      ...step(0),
      kind: 'finished',
      name: 'n'.repeat(300),
      outcome: 'success',
      conclusion: 'success',
      atMs: start,
    });
    await printer.close();
    for (const line of text().split('\n')) expect(line.length).toBeLessThanOrEqual(60);
  });

  it('shows times and whole summaries when it is verbose', async () => {
    const long = 'line\n'.repeat(60);
    const quiet = open();
    quiet.printer.job('b', 'b').summary(0, long);
    expect(quiet.text()).toContain('│ 20 more lines\n');
    const verbose = open({ verbose: true });
    const job = verbose.printer.job('b', 'b');
    job.summary(0, long);
    await job.rows(step(0), rows('hello'));
    expect(verbose.text()).not.toContain('more lines');
    expect(verbose.text()).toContain('03:04:05.000   hello\n');
  });

  it('keeps a bounded number of remarks', async () => {
    const { printer, text } = open();
    const job = printer.job('b', 'b');
    for (let line = 1; line <= 70; line += 1)
      job.annotation({ level: 'error', message: 'm', file: 'a', line, step: 0 });
    await printer.close();
    expect(text()).toContain('  Error: a:50: m\n  and 20 more\n');
  });

  it('makes a job wait for a slow reader', async () => {
    const gate = Promise.withResolvers<void>();
    const stream = new Writable({
      highWaterMark: 10,
      write: (_chunk, _encoding, done) => void gate.promise.then(() => done()),
    });
    const { printer } = open({ stdout: stream });
    let isDone = false;
    const waiting = Promise.resolve(printer.job('b', 'b').rows(step(0), rows('more than ten bytes'))).then(
      () => (isDone = true),
    );
    await new Promise(setImmediate);
    expect(isDone).toBe(false);
    gate.resolve();
    await waiting;
    await printer.close();
  });

  it('does not stop jobs when its reader is gone', async () => {
    const stream = new Writable({
      highWaterMark: 1,
      write: (_chunk, _encoding, done) => done(new Error('EPIPE')),
    });
    const { printer } = open({ stdout: stream });
    const job = printer.job('b', 'b');
    await job.rows(step(0), rows('a'));
    await job.rows(step(0), rows('b'));
    await expect(printer.close()).resolves.toBeUndefined();
  });
});

describe('--json', () => {
  it('prints an object a line', async () => {
    const { printer, text } = open({ json: true });
    await runBuild(printer.job('build', 'build (1)'));
    await printer.close();
    const objects = text()
      .trimEnd()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    const job = { job: 'build', name: 'build (1)' };
    const time = '2026-01-02T03:04:05.000Z';
    expect(objects[0]).toEqual({ type: 'job-started', time: '2026-01-02T03:04:06.000Z', ...job });
    expect(objects[1]).toEqual({ type: 'row', time, ...job, section: 'set-up', text: 'Job "build" on label "ci"' });
    expect(objects[2]).toEqual({ type: 'step-started', time, ...job, step: 0, stage: 'main', stepName: 'Run make' });
    expect(objects[3]).toEqual({
      type: 'row',
      time,
      ...job,
      section: 'step',
      step: 0,
      stage: 'main',
      text: '##[group]Compile',
    });
    expect(objects[8]).toMatchObject({
      type: 'annotation',
      ...job,
      level: 'error',
      message: 'broken',
      file: 'a.c',
      line: 1,
      step: 0,
    });
    expect(objects[9]).toMatchObject({ type: 'step-summary', ...job, step: 0, markdown: '# Result\nbad\n' });
    expect(objects[10]).toEqual({
      type: 'step-finished',
      time: '2026-01-02T03:04:06.234Z',
      ...job,
      step: 0,
      stage: 'main',
      stepName: 'Run make',
      outcome: 'failure',
      conclusion: 'failure',
      reason: 'exit code 2',
      durationMs: 1234,
    });
    expect(objects.at(-2)).toMatchObject({ type: 'job-finished', ...job, result: 'failure', durationMs: 2500 });
    expect(text()).toContain('"outputs":{"version":"1.2","__proto__":"x"}}');
    expect(objects.at(-1)).toMatchObject({
      type: 'run-finished',
      result: 'failure',
      jobs: [{ ...job, result: 'failure', durationMs: 2500 }],
    });
  });

  it('keeps a line a line, whatever the rows', async () => {
    const { printer, text } = open({ json: true });
    await printer.job('b', 'b').rows(step(0), rows('a\u2028\n\u0000\u001b[2J"', 'b'));
    await printer.close();
    expect(text().trimEnd().split('\n')).toHaveLength(4);
    expect(text()).not.toContain('\u001b');
  });
});

describe('hasUnicode', () => {
  it.each([
    [{ LANG: 'C.UTF-8' }, 'linux', true],
    [{ LANG: 'en_US.utf8' }, 'linux', true],
    [{ LC_ALL: 'C', LANG: 'en_US.UTF-8' }, 'linux', false],
    [{}, 'linux', false],
    [{}, 'darwin', true],
    [{}, 'win32', false],
    [{ WT_SESSION: 'x' }, 'win32', true],
  ] as const)('%j on %s: %j', (env, platform, expected) => {
    expect(hasUnicode(env, platform)).toBe(expected);
  });
});
