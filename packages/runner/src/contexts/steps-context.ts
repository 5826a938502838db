import type { Value, ValueMap } from '../expressions/values.ts';
import type { StepResult } from '../report/job-report.ts';

/** What is remembered of a finished step that has an id. */
export interface StepRecord {
  readonly outcome: StepResult;
  readonly conclusion: StepResult;
  readonly outputs: ReadonlyMap<string, string>;
}

/** The `steps` context: only steps with an id that have finished or were skipped. */
export function stepsContext(records: ReadonlyMap<string, StepRecord>): ValueMap {
  return new Map(
    [...records].map(([id, record]): [string, Value] => [
      id,
      new Map<string, Value>([
        ['outputs', record.outputs],
        ['outcome', record.outcome],
        ['conclusion', record.conclusion],
      ]),
    ]),
  );
}
