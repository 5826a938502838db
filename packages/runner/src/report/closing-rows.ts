import type { JobResult } from './job-report.ts';

/** What the log of a job ends with on the server. */
export const closingRows: Readonly<Record<JobResult, string>> = {
  success: 'Job succeeded',
  failure: 'Job failed',
  cancelled: 'Job was cancelled',
  skipped: 'Job was skipped',
};
