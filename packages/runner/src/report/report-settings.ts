/** Waits between attempts, all in milliseconds. */
export interface ReportRetry {
  /** Attempts in a row after which nobody waits for the report any more; it goes on beside other work. */
  readonly maxRetries: number;
  readonly initialDelayMs: number;
  /** 0 is no limit of the administrator's. */
  readonly maxDelayMs: number;
}

/** What an administrator may set about reports, and what tests make smaller. */
export interface ReportSettings {
  /** Between two reports of what changed. */
  readonly intervalMs: number;
  readonly retry: ReportRetry;
  /** Bytes that the log of one job may take on the disk. */
  readonly spoolLimitBytes: number;
}

/** What the spool of a job may take where nobody set a limit. */
export const defaultSpoolLimitBytes: number = 4 * 1024 ** 3;

/**
 * A cancellation shows in the answer to a state and nowhere else, and is to be noticed within two seconds: half a second
 * is left for the request.
 */
const checkMs = 1500;
/** Nobody looks at what a runner tells so late: the server gave up on the task after some hours. */
export const giveUpAfterMs: number = 24 * 60 * 60_000;
/** A server that forgets a runner or task for so long does not remember: one may be restored from its backup. */
export const gonePatienceMs = 60_000;
const mostDelayMs = 60_000;
const mostPatienceMs = 15 * 60_000;

/** Time between two signs of life while nothing changes: as asked, but not more often than a cancellation needs. */
export function checkIntervalMs({ intervalMs }: ReportSettings): number {
  return Math.max(checkMs, intervalMs);
}

/** Time until the next attempt after so many failures in a row, spread over its upper half. */
export function retryDelayMs(
  failures: number,
  retry: ReportRetry,
  { retryAfterMs = 0, random = Math.random }: { readonly retryAfterMs?: number; readonly random?: () => number } = {},
): number {
  const most = retry.maxDelayMs > 0 ? Math.min(retry.maxDelayMs, mostDelayMs) : mostDelayMs;
  const first = Math.max(1, retry.initialDelayMs);
  const grown = Math.min(most, first * 2 ** Math.min(Math.max(0, failures - 1), 30));
  return Math.ceil(Math.max(grown / 2 + (grown / 2) * random(), Math.min(retryAfterMs, mostPatienceMs)));
}
