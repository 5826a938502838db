import type { JobResult, LogSection, StepChange, StepResult } from './job-report.ts';
import type { StepState } from './report-channel.ts';

interface Section {
  result?: StepResult;
  startedAtMs?: number;
  stoppedAtMs?: number;
  logIndex: number;
  /** Missing while rows may still come to it. */
  logEnd?: number;
}

/**
 * Which rows of the log belong to which step. The server knows one range for each step and finds the rows of "Complete
 * job" by adding all ranges up, so ranges follow each other without a gap: a row belongs to the step that began last, also
 * one that a forgotten process of an earlier step wrote. Rows of pre stages stand before the first step, under "Set up
 * job"; with the first post stage "Complete job" begins. Steps that were skipped have no rows.
 */
export class StepSections {
  readonly #steps = new Map<number, Section>();
  #open: Section | undefined;
  #isComplete = false;

  /** Rows come to a section; `at` is the number of the first of them. */
  rows(section: LogSection, at: number): void {
    if (section.kind === 'complete' || (section.kind === 'step' && section.stage === 'post')) this.#complete(at);
  }

  /** A step changed; `at` is the number that the next row will have. */
  change(change: StepChange, at: number): void {
    if (change.stage === 'post') this.#complete(at);
    if (change.stage !== 'main') return;
    if (change.kind === 'started') {
      const section: Section = { startedAtMs: change.atMs, logIndex: at };
      this.#close(at);
      this.#steps.set(change.index, section);
      if (this.#isComplete) section.logEnd = at;
      else this.#open = section;
      return;
    }
    const section = this.#steps.get(change.index) ?? { logIndex: at, logEnd: at };
    this.#steps.set(change.index, section);
    // The outcome and not the conclusion, as the Go runner: a reader looks for the step that failed.
    section.result = change.outcome;
    if (section.startedAtMs !== undefined) section.stoppedAtMs = change.atMs;
  }

  /** The job is over: steps that still run ended with it, the rest of `count` never ran. */
  finish(job: { readonly result: JobResult; readonly atMs: number; readonly count: number }, at: number): void {
    this.#complete(at);
    for (let index = 0; index < job.count; index += 1) {
      const section = this.#steps.get(index) ?? { logIndex: at, logEnd: at, result: 'skipped' };
      this.#steps.set(index, section);
      if (section.result !== undefined) continue;
      section.result = job.result === 'cancelled' ? 'cancelled' : 'failure';
      section.stoppedAtMs = job.atMs;
    }
  }

  /** The log ends at `rowCount`: rows that had numbers got lost. */
  cutTo(rowCount: number): void {
    for (const section of this.#steps.values()) {
      section.logIndex = Math.min(section.logIndex, rowCount);
      if (section.logEnd !== undefined) section.logEnd = Math.min(section.logEnd, rowCount);
    }
  }

  /** States of all steps that began or ended, with no row beyond the first `rowCount` ones. */
  states(rowCount: number): readonly StepState[] {
    return [...this.#steps]
      .toSorted(([a], [b]) => a - b)
      .map(([index, { logIndex, logEnd, ...rest }]) => {
        const end = Math.min(logEnd ?? rowCount, rowCount);
        return { index, ...rest, logIndex, logLength: Math.max(0, end - logIndex) };
      });
  }

  /** What an earlier process knew. The last step that has no result gets all rows that follow. */
  static restore(states: readonly StepState[]): StepSections {
    const sections = new StepSections();
    for (const { index, logLength, ...state } of states) {
      const section: Section = { ...state };
      sections.#steps.set(index, section);
      if (state.result === undefined) sections.#open = section;
      else section.logEnd = state.logIndex + logLength;
    }
    return sections;
  }

  #complete(at: number): void {
    this.#close(at);
    this.#isComplete = true;
  }

  #close(at: number): void {
    if (this.#open !== undefined) this.#open.logEnd = at;
    this.#open = undefined;
  }
}
