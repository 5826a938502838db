/** How a step or job ends. */
export type ExpectedResult = 'success' | 'failure' | 'cancelled' | 'skipped';

/** One expected row: the exact text, a pattern, or any number of rows in between. */
export type ExpectedLine =
  | { readonly kind: 'exact'; readonly text: string }
  | { readonly kind: 'pattern'; readonly pattern: RegExp }
  | { readonly kind: 'gap' };

/** What is expected of one step. What is absent is not looked at. */
export interface ExpectedStep {
  /** Place among the steps of the job, from 1. */
  readonly number: number;
  readonly name?: string;
  readonly outcome?: ExpectedResult;
  readonly conclusion?: ExpectedResult;
  /** In a row and in this order; other rows may stand before and after them. */
  readonly lines: readonly ExpectedLine[];
}

/** What is expected of one job, by its display name. */
export interface ExpectedJob {
  readonly name: string;
  readonly result: ExpectedResult;
  readonly steps: readonly ExpectedStep[];
  readonly outputs: Readonly<Record<string, string>>;
}

/** What is expected of a run. `refused`: no step of it may have run. */
export interface ExpectedRun {
  readonly result: 'success' | 'failure' | 'refused';
  readonly jobs: readonly ExpectedJob[];
  /** Each must match somewhere in everything that was printed. */
  readonly messages: readonly RegExp[];
  /** None may appear anywhere. */
  readonly forbidden: readonly string[];
}

/** A `.expect` file: what to start the workflow with, and what must come of it. */
export interface WorkflowExpectation {
  readonly title: string;
  readonly needs: readonly string[];
  readonly event: string;
  readonly payload?: unknown;
  readonly inputs: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
  readonly vars: Readonly<Record<string, string>>;
  readonly expect: ExpectedRun;
}

type Draft<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };

interface Reading {
  readonly draft: Draft<Omit<WorkflowExpectation, 'expect' | 'inputs' | 'secrets' | 'vars'>> & {
    readonly inputs: Record<string, string>;
    readonly secrets: Record<string, string>;
    readonly vars: Record<string, string>;
  };
  readonly run: Draft<ExpectedRun>;
  job?: Draft<Omit<ExpectedJob, 'outputs'>> & { readonly outputs: Record<string, string> };
  step?: Draft<ExpectedStep>;
}

/**
 * Reads a `.expect` file. A line each, `#` starts a comment:
 *
 * ```text
 * title: a step sees what an earlier one put into GITHUB_ENV
 * needs: bash                      words that a backend or machine must have
 * event: push                      the default
 * payload: {"ref":"refs/heads/x"}  JSON of the event
 * input who=world                  also secret NAME=value, var NAME=value
 * result: success                  of the run: success, failure, refused
 * job build: success               by its display name; quotes are part of JSON where it needs them
 * output name=value                of that job
 * step 2 "Say hello": failure success      name, outcome and conclusion as far as they matter
 * | exact row                      rows of that step, one after the other
 * |"a\tb"                          the same as JSON
 * |~ ^pattern$                     a row that matches
 * ...                              any number of rows
 * message: ^expected .*            matches somewhere in all that was printed
 * forbid: hunter2                  appears nowhere
 * ```
 *
 * @throws Error with the line that it cannot read.
 */
export function parseExpectation(text: string, file = 'expectation'): WorkflowExpectation {
  const reading: Reading = {
    draft: { title: '', needs: [], event: 'push', inputs: {}, secrets: {}, vars: {} },
    run: { result: 'success', jobs: [], messages: [], forbidden: [] },
  };
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    try {
      readLine(line, reading);
    } catch (error) {
      throw new Error(`${file}:${index + 1}: ${String(error instanceof Error ? error.message : error)}`, {
        cause: error,
      });
    }
  }
  if (reading.draft.title === '') throw new Error(`${file}: expected a line "title: …", found none`);
  return { ...reading.draft, expect: reading.run };
}

const plainKeys = /^(title|needs|event|payload|result|message|forbid): (.*)$/;
const namedKeys = /^(input|secret|var|output) ([^=]+)=(.*)$/;
const jobLine = /^job (.+): (success|failure|cancelled|skipped)$/;
const stepLine = /^step (\d+)(?: (".*"))?(?:: (success|failure|cancelled|skipped)(?: (success|failure))?)?$/;

function readLine(line: string, reading: Reading): void {
  if (line.startsWith('|') || line === '...') return readRow(line, reading);
  const plain = plainKeys.exec(line);
  if (plain !== null) return readPlain(plain[1] ?? '', plain[2] ?? '', reading);
  const named = namedKeys.exec(line);
  if (named !== null) return readNamed(named[1] ?? '', [named[2] ?? '', maybeJson(named[3] ?? '')], reading);
  const job = jobLine.exec(line);
  if (job !== null) {
    // The pattern admits results only.
    const started = { name: maybeJson(job[1] ?? ''), result: job[2] as ExpectedResult, steps: [], outputs: {} };
    delete reading.step;
    reading.job = started;
    reading.run.jobs.push(started);
    return;
  }
  const step = stepLine.exec(line);
  if (step === null) throw new Error(`expected a key, a row or "...", found ${JSON.stringify(line)}`);
  readStep(step, reading);
}

function readStep([, number, name, outcome, conclusion]: RegExpExecArray, reading: Reading): void {
  if (reading.job === undefined) throw new Error('expected a job before its step');
  const step: Draft<ExpectedStep> = { number: Number(number), lines: [] };
  if (name !== undefined) step.name = maybeJson(name);
  // The pattern admits results only; one word says both.
  if (outcome !== undefined) step.outcome = outcome as ExpectedResult;
  if (outcome !== undefined) step.conclusion = (conclusion ?? outcome) as ExpectedResult;
  reading.step = step;
  reading.job.steps.push(step);
}

function readRow(line: string, { step }: Reading): void {
  if (step === undefined) throw new Error('expected a step before its rows');
  if (line === '...') step.lines.push({ kind: 'gap' });
  else if (line.startsWith('|~ ')) step.lines.push({ kind: 'pattern', pattern: new RegExp(line.slice(3), 'u') });
  else if (line.startsWith('|"')) step.lines.push({ kind: 'exact', text: maybeJson(line.slice(1)) });
  else step.lines.push({ kind: 'exact', text: line.slice(line.startsWith('| ') ? 2 : 1) });
}

function readPlain(key: string, value: string, { draft, run }: Reading): void {
  if (key === 'title') draft.title = value;
  else if (key === 'needs') draft.needs.push(...value.split(' '));
  else if (key === 'event') draft.event = value;
  else if (key === 'payload') draft.payload = JSON.parse(value);
  else if (key === 'message') run.messages.push(new RegExp(value, 'mu'));
  else if (key === 'forbid') run.forbidden.push(maybeJson(value));
  else if (value === 'success' || value === 'failure' || value === 'refused') run.result = value;
  else throw new Error(`expected the result success, failure or refused, found ${JSON.stringify(value)}`);
}

function readNamed(key: string, [name, value]: readonly [string, string], reading: Reading): void {
  if (key === 'output') {
    if (reading.job === undefined) throw new Error('expected a job before its output');
    reading.job.outputs[name] = value;
  } else if (key === 'input') reading.draft.inputs[name] = value;
  else if (key === 'secret') reading.draft.secrets[name] = value;
  else reading.draft.vars[name] = value;
}

function maybeJson(text: string): string {
  return text.startsWith('"') ? String(JSON.parse(text)) : text;
}
