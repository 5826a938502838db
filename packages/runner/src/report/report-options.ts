import type { Logger } from '@forgejo-runner/core';
import type { SpooledRow } from '../log/log-spool-blocks.ts';
import type { Delivery } from './final-report.ts';
import type { JobFile } from './job-file.ts';
import type { JobReport, JobResult } from './job-report.ts';
import type { ReportChannel, StepState } from './report-channel.ts';
import type { ReportClock } from './report-clock.ts';
import type { ReportSettings } from './report-settings.ts';

/** What is known of a job when its report begins. Holds no secret. */
export type ReportedJob = Pick<
  JobFile,
  'taskId' | 'connection' | 'runner' | 'boot' | 'repository' | 'workflow' | 'job' | 'backend' | 'stepNames'
>;

/** What a reporter works with. */
export interface ReporterOptions {
  readonly job: ReportedJob;
  /** Of this job alone; must not be there yet. */
  readonly folder: string;
  readonly channel: ReportChannel;
  readonly settings: ReportSettings;
  readonly clock: ReportClock;
  /** Of the runner itself. */
  readonly log: Logger;
}

/** The report of one job, from its first row to the result on the server. */
export interface Reporter extends AsyncDisposable {
  readonly report: JobReport;
  /** Aborts when the server ended the task, with an {@link EndedByServer} that says how. */
  readonly cancelled: AbortSignal;
  /** Told once it is known where the job runs, for the history. */
  readonly runsOn: (backend: string) => void;
  /**
   * Ends the report: the rest of the rows, outputs, and the result last. Resolves when the server has all of it, or with
   * `pending` after `retry.maxRetries` attempts in vain; then it goes on beside other work until it is disposed.
   */
  readonly finish: (result: JobResult, outputs: ReadonlyMap<string, string>) => Promise<Delivery>;
  /** How it went in the end; `pending` where it was disposed before that. */
  readonly settled: Promise<Delivery>;
  /** How far it is, for metrics and the status page. */
  readonly progress: () => ReportProgress;
  /** The last rows of the log, as they are on the disk. */
  readonly tail: (rows: number) => Promise<readonly SpooledRow[]>;
}

/** How far a report is. */
export interface ReportProgress {
  readonly startedAtMs: number;
  readonly backend: string;
  readonly rows: number;
  /** Size of the log on the disk. */
  readonly bytes: number;
  /** Rows that the server does not have. */
  readonly waitingRows: number;
  readonly steps: readonly StepState[];
}
