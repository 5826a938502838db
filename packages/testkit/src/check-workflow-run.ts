import type { ExpectedJob, ExpectedLine, ExpectedResult, ExpectedRun, ExpectedStep } from './workflow-expectation.ts';

/** A step as it ran: `name` and `rows` as the log has them. */
export interface ObservedStep {
  readonly name: string;
  readonly outcome: ExpectedResult;
  readonly conclusion: ExpectedResult;
  readonly rows: readonly string[];
}

/** A job as it ran, by its display name. */
export interface ObservedJob {
  readonly name: string;
  readonly result: ExpectedResult;
  /** The steps of the workflow in their order, without set-up, post and completion. */
  readonly steps: readonly ObservedStep[];
  /** Absent where the way of running does not tell: they are not looked at then. */
  readonly outputs?: Readonly<Record<string, string>>;
}

/** What came of a run, however it was run. */
export interface ObservedRun {
  readonly succeeded: boolean;
  readonly jobs: readonly ObservedJob[];
  /** Everything that was printed, of all jobs and of the runner. */
  readonly printed: string;
}

/** Compares a run with what was expected of it. Gives one sentence for each difference, none where all is as expected. */
export function checkWorkflowRun(expected: ExpectedRun, observed: ObservedRun): readonly string[] {
  const problems: string[] = [];
  if (observed.succeeded !== (expected.result === 'success')) {
    problems.push(`expected the run to end as ${expected.result}, found ${observed.succeeded ? 'success' : 'failure'}`);
  }
  const ran = observed.jobs.flatMap((job) => job.steps).filter((step) => step.outcome !== 'skipped');
  if (expected.result === 'refused' && ran.length > 0) {
    problems.push(`expected that no step runs, found ${ran.map((step) => JSON.stringify(step.name)).join(', ')}`);
  }
  for (const job of expected.jobs) problems.push(...checkJob(job, observed));
  for (const pattern of expected.messages) {
    if (!pattern.test(observed.printed)) problems.push(`expected a message like ${String(pattern)}, found none`);
  }
  for (const word of expected.forbidden) {
    if (observed.printed.includes(word)) problems.push(`expected ${JSON.stringify(word)} nowhere, found it`);
  }
  return problems;
}

function checkJob(expected: ExpectedJob, observed: ObservedRun): readonly string[] {
  const where = `job ${JSON.stringify(expected.name)}`;
  const job = observed.jobs.find((one) => one.name === expected.name);
  if (job === undefined) {
    const names = observed.jobs.map((one) => JSON.stringify(one.name)).join(', ');
    return [`expected ${where}, found ${names === '' ? 'no job' : names}`];
  }
  const problems: string[] = [];
  if (job.result !== expected.result) problems.push(`${where}: expected ${expected.result}, found ${job.result}`);
  for (const [name, value] of Object.entries(expected.outputs)) {
    if (job.outputs === undefined || job.outputs[name] === value) continue;
    const found = JSON.stringify(job.outputs[name]);
    problems.push(`${where}: expected the output ${name}=${JSON.stringify(value)}, found ${found}`);
  }
  for (const step of expected.steps) {
    problems.push(...checkStep(step, job).map((problem) => `${where} step ${step.number}: ${problem}`));
  }
  return problems;
}

function checkStep(expected: ExpectedStep, job: ObservedJob): readonly string[] {
  const step = job.steps[expected.number - 1];
  if (step === undefined) return [`expected to find it among ${job.steps.length} steps`];
  const problems: string[] = [];
  if (expected.name !== undefined && step.name !== expected.name) {
    problems.push(`expected the name ${JSON.stringify(expected.name)}, found ${JSON.stringify(step.name)}`);
  }
  for (const key of ['outcome', 'conclusion'] as const) {
    const wanted = expected[key];
    if (wanted !== undefined && step[key] !== wanted) {
      problems.push(`expected the ${key} ${wanted}, found ${step[key]}`);
    }
  }
  if (!hasRows(step.rows, expected.lines)) {
    const found = step.rows.map((row) => `\n  | ${JSON.stringify(row.slice(0, 300))}`).join('');
    const wanted = expected.lines.map((line) => `\n  | ${lineText(line)}`).join('');
    problems.push(`expected the rows${wanted}\nfound${found === '' ? ' none' : found}`);
  }
  return problems;
}

/** Do the lines stand in the rows one after the other, apart from the gaps? */
function hasRows(rows: readonly string[], lines: readonly ExpectedLine[]): boolean {
  const blocks: ExpectedLine[][] = [[]];
  for (const line of lines) {
    if (line.kind === 'gap') blocks.push([]);
    else blocks.at(-1)?.push(line);
  }
  let from = 0;
  for (const block of blocks) {
    // Every block but the first may start anywhere after the one before; the earliest place leaves most for the rest.
    while (from + block.length <= rows.length && !block.every((line, at) => isLike(rows[from + at], line))) from += 1;
    if (from + block.length > rows.length) return false;
    from += block.length;
  }
  return true;
}

function isLike(row: string | undefined, line: ExpectedLine): boolean {
  if (row === undefined) return false;
  if (line.kind === 'exact') return row === line.text;
  return line.kind === 'pattern' && line.pattern.test(row);
}

function lineText(line: ExpectedLine): string {
  if (line.kind === 'exact') return JSON.stringify(line.text.slice(0, 300));
  return line.kind === 'pattern' ? `like ${String(line.pattern)}` : '...';
}
