import { eventually, type Look } from '../eventually.ts';
import type { JobBoard } from './job-board.ts';
import {
  isDone,
  type JobStatus,
  type KnownJob,
  type StoredStep,
  type TaskResult,
  type TimelineEvent,
} from './known-task.ts';
import type { StoredRow } from './task-log.ts';

/** How long to wait for a job. */
export interface WaitOptions {
  /** Default 60 000. */
  readonly timeoutMs?: number;
}

/** A job on a fake server, as a person sees it there, and some more. */
export interface FakeJob {
  /** Unique on its server. */
  readonly id: number;
  /** For `one-job --handle`. */
  readonly handle: string;
  readonly status: () => JobStatus;
  /** Number of the task that a runner got; undefined before. */
  readonly taskId: () => number | undefined;
  readonly rows: () => readonly StoredRow[];
  /** Texts of all rows. */
  readonly texts: () => readonly string[];
  readonly steps: () => readonly StoredStep[];
  /** Texts of the rows in the range of one step. */
  readonly stepTexts: (index: number) => readonly string[];
  readonly outputs: () => Readonly<Record<string, string>>;
  /** What happened, from the time when a runner got it. */
  readonly timeline: () => readonly TimelineEvent[];
  /** The log was closed and put away. */
  readonly isArchived: () => boolean;
  /** The token of the job as long as it is good for something. */
  readonly token: () => string | undefined;
  /** Rows that came again with another text. */
  readonly differingRows: () => number;
  /** As a person does on its page. */
  readonly cancel: () => void;
  /** Makes the server lose the last rows, as one does that comes back from a backup. */
  readonly forgetRows: (rows: number) => void;
  /** Resolves when a runner has it. */
  readonly taken: (options?: WaitOptions) => Promise<void>;
  /** Resolves with how it ended. */
  readonly ended: (options?: WaitOptions) => Promise<TaskResult>;
}

/** The public face of a job. */
export function fakeJob(job: KnownJob, board: JobBoard): FakeJob {
  const log = () => job.task?.log;
  const texts = (): readonly string[] => log()?.rows.map(({ text }) => text) ?? [];
  const until = async <T>(probe: (() => T) & Look<T>, what: string, { timeoutMs = 60_000 }: WaitOptions = {}) => {
    try {
      return await eventually(probe, { timeoutMs, intervalMs: 10, what });
    } catch (error) {
      const last = texts().slice(-5).join('\n');
      throw new Error(`job ${job.id} is ${job.status}; its last rows:\n${last}`, { cause: error });
    }
  };
  return {
    id: job.id,
    handle: job.handle,
    status: () => {
      board.runTimers();
      return job.status;
    },
    taskId: () => job.task?.id,
    rows: () => log()?.rows ?? [],
    texts,
    steps: () => job.task?.steps ?? [],
    stepTexts: (index) => {
      const step = job.task?.steps[index];
      return step === undefined ? [] : texts().slice(step.logIndex, step.logIndex + step.logLength);
    },
    outputs: () => Object.fromEntries(job.task?.outputs ?? []),
    timeline: () => job.task?.timeline ?? [],
    isArchived: () => log()?.isArchived ?? false,
    token: () => job.task?.token || undefined,
    differingRows: () => log()?.differing ?? 0,
    cancel: () => board.cancel(job),
    forgetRows: (rows) => log()?.forget(rows),
    taken: async (options) => {
      await until(() => job.task !== undefined, 'a runner to take the job', options);
    },
    ended: async (options) => {
      const ended = await until(() => (isDone(job.status) ? job.status : undefined), 'the end of the job', options);
      return ended;
    },
  };
}
