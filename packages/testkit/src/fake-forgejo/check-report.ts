import type { FakeJob } from './fake-job.ts';
import type { SentState, SentStep, TimelineEvent } from './known-task.ts';

/** What a report is held against. */
export interface ReportExpectation {
  /** Rows that a job wrote: each must be there once, and in this order; others may stand between them. */
  readonly rows?: readonly string[];
  /** Which rows are the job's own, where others must not stand between them. Default those of `rows`. */
  readonly isOwn?: (text: string) => boolean;
}

/**
 * Looks at all that a runner told of a job that has ended.
 *
 * @returns one sentence for everything that no good runner does; none where the report is right.
 */
export function checkReport(job: FakeJob, expected: ReportExpectation = {}): readonly string[] {
  const timeline = job.timeline();
  return [
    ...checkRows(job, expected),
    ...checkLogRequests(timeline),
    ...checkStates(timeline),
    ...checkEnd(job, timeline),
    ...checkRanges(job),
  ];
}

function checkRows(job: FakeJob, { rows, isOwn }: ReportExpectation): readonly string[] {
  const problems: string[] = [];
  if (job.differingRows() > 0) problems.push(`${job.differingRows()} rows came again with another text`);
  const times = job.rows().map(({ atMs }) => atMs);
  const back = times.findIndex((atMs, index) => atMs < (times[index - 1] ?? 0));
  if (back >= 0) problems.push(`the time of row ${back} lies before that of the row before it`);
  if (rows === undefined) return problems;
  const wanted = new Set(rows);
  const own = job.texts().filter(isOwn ?? ((text) => wanted.has(text)));
  const length = Math.max(own.length, rows.length);
  for (let index = 0; index < length; index += 1) {
    if (own[index] === rows[index]) continue;
    problems.push(
      `expected ${rows.length} rows, found ${own.length}; row ${index} is ${quote(own[index])} in place of ${quote(rows[index])}`,
    );
    break;
  }
  return problems;
}

function checkLogRequests(timeline: readonly TimelineEvent[]): readonly string[] {
  const problems: string[] = [];
  let stored = 0;
  for (const event of timeline) {
    if (event.kind !== 'log') continue;
    if (event.index > stored) problems.push(`rows from ${event.index} on were sent where the server had ${stored}`);
    if (event.outcome.kind === 'archived') problems.push('rows were sent to a log that had been put away');
    if (event.noMore && event.outcome.kind === 'ignored' && event.rows === 0)
      problems.push('no_more was sent without a row');
    if (event.outcome.kind === 'stored') stored = event.outcome.ackIndex;
  }
  return problems;
}

function checkStates(timeline: readonly TimelineEvent[]): readonly string[] {
  const problems: string[] = [];
  let before: SentState | undefined;
  for (const event of timeline) {
    if (event.kind !== 'state') continue;
    for (const step of event.state.steps) {
      if (step.logLength > 0 && step.logIndex + step.logLength > event.storedRows) {
        problems.push(`step ${step.index} names row ${step.logIndex + step.logLength} of ${event.storedRows}`);
      }
      const earlier = before?.steps.find(({ index }) => index === step.index);
      if (earlier !== undefined) problems.push(...checkStepChange(earlier, step));
    }
    const missing = before?.steps.find(({ index }) => !event.state.steps.some((step) => step.index === index));
    if (missing !== undefined) problems.push(`step ${missing.index} is missing in a later state`);
    before = event.state;
  }
  return problems;
}

function checkStepChange(before: SentStep, after: SentStep): readonly string[] {
  const problems: string[] = [];
  const { index } = after;
  if (before.result !== undefined && before.result !== after.result) {
    problems.push(`step ${index} was ${before.result} and became ${after.result ?? 'running'}`);
  }
  if (before.startedAtMs !== undefined && before.startedAtMs !== after.startedAtMs) {
    problems.push(`step ${index} began twice`);
  }
  if (before.logLength > 0 && before.logIndex !== after.logIndex) problems.push(`the rows of step ${index} moved`);
  if (before.logLength > after.logLength) problems.push(`step ${index} lost rows`);
  return problems;
}

function checkEnd(job: FakeJob, timeline: readonly TimelineEvent[]): readonly string[] {
  const ended = timeline.find((event) => event.kind === 'ended');
  if (ended === undefined) return ['the task did not end'];
  if (ended.by !== 'runner') return [];
  const problems: string[] = [];
  if (!job.isArchived()) problems.push('the log was not closed');
  const isAfterLog = timeline
    .slice(0, timeline.indexOf(ended))
    .some((event) => event.kind === 'log' && event.outcome.kind === 'stored' && event.outcome.isArchived);
  if (job.isArchived() && !isAfterLog) problems.push('the result was sent before the log was closed');
  for (const { index, status } of job.steps()) {
    if (status === 'running' || status === 'waiting') problems.push(`step ${index} is ${status} in a task that ended`);
  }
  return problems;
}

/** Ranges of steps follow each other: pages take what is before and after them for set-up and completion. */
function checkRanges(job: FakeJob): readonly string[] {
  const problems: string[] = [];
  let end: number | undefined;
  for (const { index, logIndex, logLength } of job.steps()) {
    if (logLength === 0) continue;
    if (end !== undefined && logIndex !== end)
      problems.push(`step ${index} begins at row ${logIndex}, the one before ends at ${end}`);
    end = logIndex + logLength;
  }
  if (end !== undefined && end > job.rows().length) problems.push(`steps end at row ${end} of ${job.rows().length}`);
  return problems;
}

function quote(text: string | undefined): string {
  return text === undefined ? 'nothing' : JSON.stringify(text.slice(0, 100));
}
