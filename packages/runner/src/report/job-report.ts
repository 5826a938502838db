import type { Annotation } from '../log/annotations.ts';

/** How a step ended. `outcome` is before and `conclusion` after `continue-on-error`. */
export type StepResult = 'success' | 'failure' | 'cancelled' | 'skipped';

/** How a job ended. */
export type JobResult = 'success' | 'failure' | 'cancelled' | 'skipped';

/** The part of a job's log that rows belong to. */
export type LogSection =
  | { readonly kind: 'set-up' }
  | { readonly kind: 'step'; readonly index: number; readonly stage: 'pre' | 'main' | 'post' }
  | { readonly kind: 'complete' };

/** One line of a job log, masked, without its newline. */
export interface LogRow {
  readonly atMs: number;
  readonly text: string;
}

/** What is told about a step when it changes. */
export type StepChange =
  | {
      readonly kind: 'started';
      readonly index: number;
      readonly stage: 'pre' | 'main' | 'post';
      readonly name: string;
      readonly atMs: number;
    }
  | {
      readonly kind: 'finished';
      readonly index: number;
      readonly stage: 'pre' | 'main' | 'post';
      readonly name: string;
      readonly outcome: StepResult;
      readonly conclusion: StepResult;
      readonly atMs: number;
      /** One sentence for the reader, where it did not succeed. Masked. */
      readonly reason?: string;
    };

/**
 * Takes what one job has to say: the server's reporter in the daemon, the terminal in `exec`. All text is masked before
 * it comes here.
 */
export interface JobReport {
  /** Awaiting it is the back-pressure on the process that writes. */
  readonly rows: (section: LogSection, rows: readonly LogRow[]) => void | PromiseLike<void>;
  readonly step: (change: StepChange) => void;
  readonly annotation: (annotation: Annotation) => void;
  readonly summary: (stepIndex: number, markdown: string) => void;
}
