import type { Status } from '../contexts/status-functions.ts';
import type { StepRecord } from '../contexts/steps-context.ts';
import type { StepResult } from '../report/job-report.ts';
import type { ValueMap } from '../expressions/values.ts';

/**
 * What the steps of one list share: the list of a job, or the list of a composite action. An action sees its own inputs
 * and steps and not its caller's.
 */
export interface Frame {
  readonly records: Map<string, StepRecord>;
  /** How the list stands: the job's status, or the action's own. */
  readonly status: () => Status;
  /** Told how each step ended. */
  readonly concluded: (conclusion: StepResult) => void;
  /** Aborts when the time of a step around this list is over: nothing in it runs on or starts. */
  readonly timeout?: AbortSignal;
  /** Position of the step of the job that this list runs in; absent in the job's own list. */
  readonly top?: number;
  readonly action?: ActionFrame;
}

/** What differs inside of a composite action. */
export interface ActionFrame {
  readonly inputs: ValueMap;
  /** Where the action lies in the environment. */
  readonly path: string;
  readonly ref: string;
  readonly repository: string;
  /** Variables that the calling step set, for every step inside. */
  readonly env: ReadonlyMap<string, string>;
  /** Key of the calling step, put before those inside. */
  readonly key: string;
  /** How many actions are around, 1 for one that a step of the job uses. */
  readonly depth: number;
}
