import type { Annotation } from '../log/annotations.ts';
import type { JobResult, StepChange, StepResult } from '../report/job-report.ts';

/** What a run came to, as far as it is known: for the summary at its end. */
export interface RunRecord {
  readonly jobs: JobRecord[];
  readonly artifacts: ArtifactRecord[];
  readonly startedAtMs: number;
}

/** An artifact that a job of the run uploaded. */
export interface ArtifactRecord {
  readonly name: string;
  /** Of its archive. */
  readonly size: number;
  /** Where it is kept; absent where it ended with the run. */
  readonly path?: string;
}

/** A job of the run. Those of a matrix have their number behind the id: `build-1`. */
export interface JobRecord {
  readonly id: string;
  readonly name: string;
  readonly steps: StepRecord[];
  readonly annotations: Annotation[];
  /** Annotations beyond those that are kept. */
  moreAnnotations: number;
  /** Absent while the job runs. */
  result?: JobResult;
  durationMs?: number;
}

/** A stage of a step that began or was skipped. */
export interface StepRecord {
  readonly index: number;
  readonly stage: StepChange['stage'];
  name: string;
  readonly startedAtMs: number;
  outcome?: StepResult;
  conclusion?: StepResult;
  durationMs?: number;
  reason?: string;
}

/** A job may say as much as it likes; the summary shows the first ones. */
const keptAnnotations = 50;

/** Adds what a job said about a step, and gives the record of that step. */
export function recordStep(job: JobRecord, change: StepChange): StepRecord {
  let step = job.steps.findLast(({ index, stage }) => index === change.index && stage === change.stage);
  if (step === undefined || change.kind === 'started') {
    step = { index: change.index, stage: change.stage, name: change.name, startedAtMs: change.atMs };
    job.steps.push(step);
  }
  if (change.kind === 'finished') {
    step.name = change.name;
    step.outcome = change.outcome;
    step.conclusion = change.conclusion;
    step.durationMs = change.atMs - step.startedAtMs;
    if (change.reason !== undefined) step.reason = change.reason;
  }
  return step;
}

/** Adds an annotation, as far as there is room. */
export function recordAnnotation(job: JobRecord, annotation: Annotation): void {
  if (job.annotations.length < keptAnnotations) job.annotations.push(annotation);
  else job.moreAnnotations += 1;
}

/** Name of a stage of a step, as people know it. */
export function stageName(stage: StepChange['stage'], name: string): string {
  if (stage === 'main') return name;
  const prefix = stage === 'pre' ? 'Pre ' : 'Post ';
  return name.startsWith(prefix) ? name : prefix + name;
}

/** Result of a run: the worst of its jobs. A job that did not end was cancelled. */
export function runResult(record: RunRecord): JobResult {
  const results = record.jobs.map(({ result }) => result ?? 'cancelled');
  for (const result of ['failure', 'cancelled', 'success'] as const) if (results.includes(result)) return result;
  return 'skipped';
}
