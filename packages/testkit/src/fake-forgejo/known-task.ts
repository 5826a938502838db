import type { BuiltJob, JobSpec } from './task-builder.ts';
import type { KnownRunner } from './runner-book.ts';
import type { LogOutcome, TaskLog } from './task-log.ts';

/** How a task, a job or a step ended. */
export type TaskResult = 'success' | 'failure' | 'cancelled' | 'skipped';

/** Where a job stands. */
export type JobStatus = 'blocked' | 'waiting' | 'running' | TaskResult;

/** A step as a runner tells it. */
export interface SentStep {
  readonly index: number;
  readonly result?: TaskResult;
  readonly startedAtMs?: number;
  readonly stoppedAtMs?: number;
  readonly logIndex: number;
  readonly logLength: number;
}

/** A state as a runner tells it. */
export interface SentState {
  readonly result?: TaskResult;
  readonly startedAtMs?: number;
  readonly stoppedAtMs?: number;
  readonly steps: readonly SentStep[];
}

/** A step as the server shows it. */
export interface StoredStep {
  readonly index: number;
  readonly status: 'waiting' | 'running' | TaskResult;
  readonly startedAtMs?: number;
  readonly stoppedAtMs?: number;
  readonly logIndex: number;
  readonly logLength: number;
}

/** What happened to a task, in the order in which it did. */
export type TimelineEvent = { readonly atMs: number } & (
  | { readonly kind: 'picked' | 'recovered'; readonly runner: string }
  | {
      readonly kind: 'log';
      readonly index: number;
      readonly rows: number;
      readonly noMore: boolean;
      readonly outcome: LogOutcome;
    }
  /** `storedRows` is how many rows the server had at that time; `isLate` where the task had ended before. */
  | { readonly kind: 'state'; readonly state: SentState; readonly storedRows: number; readonly isLate: boolean }
  | { readonly kind: 'ended'; readonly result: TaskResult; readonly by: 'runner' | 'person' | 'timer' }
);

/** A job as the server keeps it. */
export interface KnownJob {
  readonly id: number;
  readonly spec: JobSpec;
  readonly built: BuiltJob;
  readonly repository: string;
  readonly needs: Readonly<Record<string, KnownJob>>;
  readonly handle: string;
  status: JobStatus;
  updatedMs: number;
  task?: KnownTask;
}

/** One attempt of a job. */
export interface KnownTask {
  readonly id: number;
  readonly job: KnownJob;
  readonly runner: KnownRunner;
  readonly requestKey?: string;
  readonly startedMs: number;
  readonly log: TaskLog;
  readonly outputs: Map<string, string>;
  readonly timeline: TimelineEvent[];
  token: string;
  updatedMs: number;
  stoppedMs?: number;
  result?: TaskResult;
  steps: readonly StoredStep[];
}

/** Whether nothing will change any more. */
export function isDone(status: JobStatus | StoredStep['status']): status is TaskResult {
  return status !== 'blocked' && status !== 'waiting' && status !== 'running';
}
