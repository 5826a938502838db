import type { FinishedJob } from '../job/run-job.ts';
import type { JobReport } from '../report/job-report.ts';
import type { JobRecord } from './run-record.ts';

/** The report of one job on its way to the terminal. */
export interface PrintedJob extends JobReport {
  /** To be called for every job, also for one that was skipped. */
  readonly finished: (ended: FinishedJob, durationMs: number) => void;
}

/** What the ways of printing have in common. */
export interface JobPrinting {
  readonly record: JobRecord;
  readonly write: (text: string) => void | Promise<void>;
  readonly now: () => number;
}
