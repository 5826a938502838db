import type { Value, ValueMap } from '../expressions/values.ts';
import type { JobResult } from '../report/job-report.ts';
import type { Job, Workflow } from '../workflow/model.ts';

/**
 * One attempt of one job, as a server hands it out, or as `exec` makes it for itself. Trusted in shape only: every text
 * in it comes from strangers.
 */
export interface Task {
  readonly id: string;
  readonly attempt: number;
  readonly workflow: Workflow;
  readonly job: Job;
  /** The combination of this instance of the job; empty where there is no matrix. */
  readonly matrix: ValueMap;
  readonly strategy: TaskStrategy;
  /** The `github` context as far as the server knows it: repository, ref, sha, actor, event and so on. */
  readonly github: ValueMap;
  /** `inputs` of `workflow_dispatch` or `workflow_call`. */
  readonly inputs: ValueMap;
  readonly secrets: ReadonlyMap<string, string>;
  readonly vars: ReadonlyMap<string, string>;
  readonly needs: ReadonlyMap<string, NeededJob>;
  /**
   * Results of all jobs before this one, also those that `needs` only reaches through others, as far as they are
   * known. `success()` in the job's `if` wants all of them to have succeeded.
   */
  readonly before: readonly JobResult[];
}

/** What `strategy` says inside the job. */
export interface TaskStrategy {
  readonly failFast: boolean;
  readonly maxParallel: number;
  readonly jobIndex: number;
  readonly jobTotal: number;
}

/** A job that this one waited for. */
export interface NeededJob {
  readonly result: JobResult;
  readonly outputs: ReadonlyMap<string, Value>;
}
