import { setImmediate as turn } from 'node:timers/promises';
import * as fc from 'fast-check';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { UserError } from '../src/user-error.ts';
import { parseAction } from '../src/workflow/parse-action.ts';
import { parseWorkflow } from '../src/workflow/parse-workflow.ts';
import { strictCheckAction, strictCheckWorkflow } from '../src/workflow/strict-check.ts';
import { quiet, type ScriptedProcess, scriptedBackend } from './fuzz/scripted-backend.ts';
import { forbidden, secrets, wildMatchers, wildProcess } from './fuzz/wild-text.ts';
import { soundValue } from './fuzz/wild-expression.ts';
import { brokenAction, brokenWorkflow, soundWorkflow, wildWorkflow } from './fuzz/wild-workflow.ts';
import { jobOf, type StartedRun, startYaml } from './run-yaml.ts';

const isNightly = process.env['FORGEJO_RUNNER_NIGHTLY'] !== undefined;
/**
 * The same cases in every run but the nightly one: somebody else's change does not fail for a case found by chance. The
 * nightly run takes others each time, and ends each test after two and a half minutes, however slow the machine is.
 */
const settings = (runs: number): fc.Parameters<unknown> =>
  isNightly ? { numRuns: runs * 40, interruptAfterTimeLimit: 150_000 } : { numRuns: runs, seed: 20_261_124 };
/** For a case that does not end; shrinking is within the time of the test. */
const limitMs = isNightly ? 240_000 : 120_000;

const rejected: unknown[] = [];
const note = (reason: unknown): void => void rejected.push(reason);
beforeEach(() => void process.on('unhandledRejection', note));
afterEach(() => {
  process.off('unhandledRejection', note);
  vi.restoreAllMocks();
});

it('checks and reads any edited workflow without a crash', { timeout: limitMs }, () => {
  fc.assert(
    fc.property(fc.oneof(brokenWorkflow, wildWorkflow, fc.string({ unit: 'binary' })), (text) => {
      expect(crashOf(() => strictCheckWorkflow(text, 'w.yml'))).toBeUndefined();
      expect(crashOf(() => parseWorkflow(text, 'w.yml'))).toBeUndefined();
    }),
    settings(1200),
  );
});

it('checks and reads any edited action without a crash', { timeout: limitMs }, () => {
  fc.assert(
    fc.property(fc.oneof(brokenAction, fc.string({ unit: 'binary' })), (text) => {
      expect(crashOf(() => strictCheckAction(text, 'action.yml'))).toBeUndefined();
      expect(crashOf(() => parseAction(text, 'action.yml'))).toBeUndefined();
    }),
    settings(500),
  );
});

it('runs any edited action to an end', { timeout: limitMs }, async () => {
  const workflow = jobOf('- {uses: ./act, with: {who: "${{ secrets.TOKEN }}", text: x, base: y}}\n- uses: ./act');
  await fc.assert(
    fc.asyncProperty(brokenAction, async (text) => {
      expect(await problemsOf(workflow, { files: { 'act/action.yml': text } })).toEqual([]);
    }),
    settings(100),
  );
});

it('runs any edited workflow to an end', { timeout: limitMs }, async () => {
  await fc.assert(
    fc.asyncProperty(brokenWorkflow, async (text) => {
      expect(await problemsOf(text)).toEqual([]);
    }),
    settings(200),
  );
});

it('runs any workflow with expressions in every place to an end', { timeout: limitMs }, async () => {
  await fc.assert(
    fc.asyncProperty(soundWorkflow, async (text) => {
      expect(await problemsOf(text)).toEqual([]);
    }),
    settings(200),
  );
});

it('takes any output and any command files', { timeout: limitMs }, async () => {
  await fc.assert(
    fc.asyncProperty(wildProcess, wildMatchers, fc.boolean(), async (script, matchers, debug) => {
      expect(await problemsOf(outputWorkflow, { script, files: { 'matcher.json': matchers }, debug })).toEqual([]);
    }),
    settings(120),
  );
});

it('makes any value of a secret and of an expression a name, a row and an output', { timeout: limitMs }, async () => {
  await fc.assert(
    fc.asyncProperty(soundValue, async (value) => {
      const text = JSON.stringify(value);
      const workflow = `{on: push, jobs: {one: {name: ${text}, runs-on: here, outputs: {x: ${text}}, steps: [
        {name: ${text}, run: "true", env: {A: ${text}}}, {name: ${text}, uses: ./act, with: {a: ${text}}}]}}}`;
      expect(await problemsOf(workflow, { files: { 'act/action.yml': compositeAction(text) } })).toEqual([]);
    }),
    settings(80),
  );
});

/** Two steps and a composite action: what the first does to the job reaches all. */
const outputWorkflow = `
on: push
jobs:
  one:
    runs-on: here
    env: {ACTIONS_ALLOW_UNSECURE_COMMANDS: true, SECRET: "\${{ secrets.TOKEN }}"}
    outputs: {x: "\${{ steps.a.outputs.x }}", all: "\${{ toJSON(steps) }}", a: "\${{ steps.a.outputs.a }}"}
    steps:
      - {id: a, run: "echo ::add-matcher::matcher.json", name: "first \${{ secrets.ODD }}"}
      - {run: "true", if: always(), name: "\${{ steps.a.outputs.x }} \${{ env.a }}", continue-on-error: true}
      - {uses: ./act, if: always(), with: {a: "\${{ secrets.KEY }}"}}
  two:
    needs: one
    if: always()
    runs-on: here
    steps:
      - {run: "true", name: "\${{ toJSON(needs) }}"}
`;
const action = compositeAction('"${{ inputs.a }}"');

function compositeAction(text: string): string {
  return `{name: act, inputs: {a: {default: ${text}}}, outputs: {o: {value: ${text}}},
    runs: {using: composite, steps: [{run: "true", shell: sh, id: inner, name: ${text}}]}}`;
}

interface Given {
  readonly script?: ScriptedProcess;
  readonly files?: Readonly<Record<string, string>>;
  readonly debug?: boolean;
}

/** Runs a workflow, if it can be read, looks at everything that came of it, and says what must not have happened. */
async function problemsOf(text: string, { script = quiet, files = {}, debug = false }: Given = {}): Promise<string[]> {
  const printed = watchOutput();
  const backend = scriptedBackend(script);
  const options = { backend, files: { 'act/action.yml': action, ...files }, debug, secrets, vars: { NAME: 'value' } };
  const run = await ending(startYaml(text, options));
  if (!('value' in run)) return isRefusal(run.error) ? [] : [`crash: ${String(run.error)}`];
  const { value: started } = run;
  const ended = await ending(started.done);
  await turn();
  return [
    ...('value' in ended || isRefusal(ended.error) ? [] : [`crash: ${String(ended.error)}`]),
    ...rejected.splice(0).map((reason) => `unhandled: ${String(reason)}`),
    ...printed().map((call) => `printed: ${JSON.stringify(call)}`),
    ...started.jobs.flatMap(problemsOfJob),
    ...backend.environments().map((name) => `left behind: ${name}`),
    ...findSecrets(everythingShown(started)).map((secret) => `shown: ${secret}`),
    ...findSecrets('value' in ended ? outputsOf(ended.value) : []).map((secret) => `in an output: ${secret}`),
  ];
}

type Ending<T> = { readonly value: T } | { readonly error: unknown };

async function ending<T>(work: Promise<T>): Promise<Ending<T>> {
  try {
    return { value: await work };
  } catch (error) {
    return { error };
  }
}

/** Somebody is told what to put right. Anything else that is thrown is a defect. */
function isRefusal(error: unknown): boolean {
  return error instanceof UserError && error.problems.length > 0;
}

function crashOf(work: () => unknown): unknown {
  try {
    work();
    return undefined;
  } catch (error) {
    return isRefusal(error) ? undefined : error;
  }
}

function problemsOfJob(job: StartedRun['jobs'][number]): readonly string[] {
  const open = new Set<string>();
  for (const change of job.changes) {
    const step = `${job.id}: step ${change.index} ${change.stage} did not end`;
    if (change.kind === 'started') open.add(step);
    else open.delete(step);
  }
  return [
    ...(job.result === undefined ? [`${job.id}: no result`] : []),
    ...open,
    // A sentence of JavaScript's own in a log is a defect that somebody caught.
    ...(job.text().match(/^.*(?:TypeError|RangeError|is not a function|Cannot read properties).*$/gm) ?? []),
  ];
}

function findSecrets(texts: readonly string[]): readonly string[] {
  return forbidden.filter((secret) => texts.some((text) => text.includes(secret)));
}

/** What is written past the report, from now on. */
function watchOutput(): () => readonly unknown[] {
  vi.restoreAllMocks();
  const spies = [
    vi.spyOn(process.stdout, 'write').mockReturnValue(true),
    vi.spyOn(process.stderr, 'write').mockReturnValue(true),
    ...(['log', 'info', 'warn', 'error', 'debug'] as const).map((name) => vi.spyOn(console, name).mockReturnValue()),
  ];
  return () => {
    const calls = spies.flatMap((spy) => spy.mock.calls);
    vi.restoreAllMocks();
    return calls;
  };
}

/** All text that a person may come to see. */
function everythingShown({ jobs, logged }: StartedRun): readonly string[] {
  return [
    ...jobs.flatMap(({ name, rows, changes, annotations, summaries }) => [
      name,
      ...rows.map((row) => row.text),
      ...summaries,
      ...[...changes, ...annotations].flatMap((said) => Object.values(said).map(String)),
    ]),
    ...logged.map((entry) => JSON.stringify(entry)),
  ];
}

function outputsOf(ended: Awaited<StartedRun['done']>): readonly string[] {
  return [...ended.values()].flatMap(({ outputs }) => [...outputs.values()].map(String));
}
