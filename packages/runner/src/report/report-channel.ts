import type { JobResult, LogRow, StepResult } from './job-report.ts';

/** Where a step of the job stands, as the server shows it. */
export interface StepState {
  /** Place under `steps`, from 0. */
  readonly index: number;
  /** Missing while the step waits or runs. */
  readonly result?: StepResult;
  /** Missing of a step that never ran. */
  readonly startedAtMs?: number;
  readonly stoppedAtMs?: number;
  /** Number of its first row in the log of the job. */
  readonly logIndex: number;
  readonly logLength: number;
}

/** Where the job stands. */
export interface TaskState {
  readonly taskId: string;
  /** Missing while the job runs. With it, the task ends for the server, and so do the tokens of the job. */
  readonly result?: JobResult;
  readonly startedAtMs: number;
  readonly stoppedAtMs?: number;
  /** Steps that began or ended; the server takes a step that is missing for one that still waits. */
  readonly steps: readonly StepState[];
}

/** Rows for the log on the server. */
export interface LogUpdate {
  readonly taskId: string;
  /** Number of the first of `rows`. */
  readonly index: number;
  readonly rows: readonly LogRow[];
  /** The log is complete with these rows. Counts only where there is at least one that the server did not have. */
  readonly noMore: boolean;
}

/**
 * How a reporter talks to the server that gave the task. Never asked twice at once. Requests may be repeated: an answer
 * can get lost after the server did what it was asked for. Each rejects with {@link ReportFailure} where the server said
 * no; whatever else it rejects with is worth another try.
 */
export interface ReportChannel {
  /** @returns how many rows the server has now, from the first one on. */
  readonly updateLog: (update: LogUpdate, signal: AbortSignal) => Promise<{ readonly ackIndex: number }>;
  /**
   * Tells the state, also as a sign of life.
   *
   * @returns the result that the server has for the task already, and the names of all outputs that it has.
   */
  readonly updateTask: (
    update: { readonly state: TaskState; readonly outputs: ReadonlyMap<string, string> },
    signal: AbortSignal,
  ) => Promise<{ readonly result?: JobResult; readonly sentOutputs: readonly string[] }>;
  /** Hands over what a step wrote to its summary; missing where the server has no place for it. */
  readonly updateSummary?: (
    summary: { readonly taskId: string; readonly stepIndex: number; readonly markdown: string },
    signal: AbortSignal,
  ) => Promise<void>;
}

/** Why a server did not take a report. */
export type ReportFailureKind =
  /** It may take it later. */
  | 'retry'
  /** The log is complete, and was put away. */
  | 'archived'
  /** It knows the task no more, or this runner. */
  | 'gone'
  /** It will never take this very request. */
  | 'refused';

/** What a {@link ReportChannel} rejects with. */
export class ReportFailure extends Error {
  override readonly name: string = 'ReportFailure';
  readonly kind: ReportFailureKind;
  /** The server asked for so much patience. */
  readonly retryAfterMs?: number;

  constructor(
    kind: ReportFailureKind,
    message: string,
    details: { readonly retryAfterMs?: number; readonly cause?: unknown } = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.kind = kind;
    if (details.retryAfterMs !== undefined) this.retryAfterMs = details.retryAfterMs;
  }
}

/** What any rejection of a channel is to the reporter. */
export function reportFailure(error: unknown): ReportFailure {
  if (error instanceof ReportFailure) return error;
  return new ReportFailure('retry', error instanceof Error ? error.message : String(error), { cause: error });
}
