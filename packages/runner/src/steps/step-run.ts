import type { CallContext, OutputSink } from '@forgejo-runner/core';
import { LineSplitter } from '@forgejo-runner/kit';
import type { JobRun } from '../job/job-run.ts';
import type { StepLog } from '../log/log-pipeline.ts';
import type { Step } from '../workflow/model.ts';
import type { Frame } from './frame.ts';

/** One step on its way: what it belongs to, and what it has come to so far. */
export interface StepRun {
  readonly step: Step;
  readonly frame: Frame;
  readonly job: JobRun;
  /** Before the steps of the job, in their order, or after all of them. */
  readonly stage: 'pre' | 'main' | 'post';
  /** Unique in the job, and safe as the name of a folder. */
  readonly key: string;
  readonly log: StepLog;
  /** Ends the step: cancellation, time limits, or the end of the grace time. */
  readonly signal: AbortSignal;
  /** `env:` of the step, evaluated. */
  readonly env: ReadonlyMap<string, string>;
  readonly outputs: Map<string, string>;
  /** What the step wants to find again in its post step. */
  readonly state: Map<string, string>;
}

/** Key of a step: its position in its list, after those of the steps around it. Ids could be longer than a file name. */
export function stepKey(step: Step, frame: Frame): string {
  return frame.action === undefined ? String(step.index) : `${frame.action.key}.${step.index}`;
}

/**
 * A context for one call into the environment of the step's job. Dispose it after the call. What the backend says
 * meanwhile comes to the log of the step as rows of ours: nothing in it is a workflow command.
 */
export function openStepCall(run: Pick<StepRun, 'job' | 'signal' | 'log'>): CallContext & Disposable {
  const lines = new LineSplitter({ limitBytes: 64 * 1024 });
  const progress: OutputSink = async (chunk) => {
    for (const { text } of lines.push(chunk)) await run.log.line(text);
  };
  return run.job.place.call(run.signal, run.job.planned.timeoutMs, progress);
}
