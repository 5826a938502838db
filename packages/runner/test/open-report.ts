import { join } from 'node:path';
import type { Logger } from '@forgejo-runner/core';
import type { LogRow, LogSection, StepResult } from '../src/report/job-report.ts';
import type { ReportedJob, Reporter } from '../src/report/report-options.ts';
import type { ReportSettings } from '../src/report/report-settings.ts';
import { openReporter } from '../src/report/reporter.ts';
import { type FakeChannel, fakeChannel } from './fake-channel.ts';
import { type HeldClock, heldClock } from './held-clock.ts';

export const settings: ReportSettings = {
  intervalMs: 1000,
  retry: { maxRetries: 10, initialDelayMs: 100, maxDelayMs: 0 },
  spoolLimitBytes: 1e9,
};

export const setUp: LogSection = { kind: 'set-up' };
export const complete: LogSection = { kind: 'complete' };
export const main = (index: number): LogSection => ({ kind: 'step', index, stage: 'main' });

/** A job with three steps. */
export const someJob: ReportedJob = {
  taskId: '7',
  connection: 'main',
  boot: 'boot-1',
  repository: 'me/project',
  workflow: 'test.yml',
  job: 'build',
  backend: 'host',
  stepNames: ['One', 'Two', 'Three'],
};

/** A report that begins, on a clock and a server that a test holds. */
export interface OpenedReport extends AsyncDisposable {
  readonly reporter: Reporter;
  readonly channel: FakeChannel;
  readonly clock: HeldClock;
  readonly folder: string;
  /** Warnings and errors of the runner's log. */
  readonly warnings: string[];
}

/** Opens a report below a folder. */
export async function openReport(
  parent: string,
  given: {
    readonly channel?: FakeChannel;
    readonly clock?: HeldClock;
    readonly settings?: Partial<ReportSettings>;
    readonly job?: Partial<ReportedJob>;
    /** Name of the folder; by default the id of the task. */
    readonly id?: string;
  } = {},
): Promise<OpenedReport> {
  const { channel = fakeChannel(), clock = heldClock() } = given;
  const warnings: string[] = [];
  const job = { ...someJob, ...given.job };
  const folder = join(parent, 'jobs', given.id ?? job.taskId);
  const reporter = await openReporter({
    job,
    folder,
    channel,
    settings: { ...settings, ...given.settings },
    clock,
    log: recordingLog(warnings),
  });
  void reporter.settled.then(clock.stop);
  return { reporter, channel, clock, folder, warnings, [Symbol.asyncDispose]: () => reporter[Symbol.asyncDispose]() };
}

/** A log that keeps what is worth a warning. */
export function recordingLog(warnings: string[]): Logger {
  const keep = (message: string): void => void warnings.push(message);
  return { debug: () => {}, info: () => {}, warn: keep, error: keep };
}

/** Rows of these texts. */
export function rowsOf(...texts: readonly string[]): readonly LogRow[] {
  return texts.map((text) => ({ atMs: 1_000_000, text }));
}

/** Runs a step that only prints. */
export async function runStep(
  { reporter, clock }: Pick<OpenedReport, 'reporter' | 'clock'>,
  step: { readonly index: number; readonly texts?: readonly string[]; readonly outcome?: StepResult },
): Promise<void> {
  const { index, texts = [], outcome = 'success' } = step;
  const change = { index, stage: 'main', name: `Step ${index}` } as const;
  reporter.report.step({ kind: 'started', ...change, atMs: clock.now() });
  await reporter.report.rows(main(index), rowsOf(...texts));
  reporter.report.step({ kind: 'finished', ...change, outcome, conclusion: outcome, atMs: clock.now() });
}
