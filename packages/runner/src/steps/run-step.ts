import { readFile } from '../environment/target-files.ts';
import { resolveInside } from '../environment/job-paths.ts';
import { evaluateCondition } from '../expressions/condition.ts';
import { evaluateStringMap, interpolate } from '../expressions/interpolate.ts';
import type { Scope } from '../expressions/scope.ts';
import { minutesText } from '../job/job-limits.ts';
import type { JobRun } from '../job/job-run.ts';
import { openStepLog, type StepLog } from '../log/log-pipeline.ts';
import { isTrue, minutes } from '../plan/plan-job.ts';
import type { StepResult } from '../report/job-report.ts';
import type { Step } from '../workflow/model.ts';
import type { Frame } from './frame.ts';
import { runAction } from './run-action.ts';
import { runScript } from './run-script.ts';
import { stepCommands } from './step-commands.ts';
import { outcomeOfError, outcomeOfProcess, type StepOutcome } from './step-result.ts';
import { openStepCall, type StepRun, stepKey, stepScope } from './step-run.ts';

/**
 * Runs one step, of a job or of a composite action: condition, work, conclusion. Never rejects for what the step does;
 * how it ended stands in the records of the frame and in the job report.
 */
export async function runStep(step: Step, frame: Frame, job: JobRun): Promise<void> {
  // A step that starts after the cancellation wanted to: it gets the grace time.
  const limit = job.signals.cancel.aborted ? job.signals.grace : job.signals.cancel;
  const timeout = new AbortController();
  const signal = AbortSignal.any([limit, timeout.signal]);
  const ready = await readyStep(step, frame, job, signal);
  const name = job.masker.mask(ready.name);
  const outputs = new Map<string, string>();
  if (ready.kind === 'skip') {
    record(step, frame, { outcome: 'skipped', conclusion: 'skipped', outputs });
    if (frame.top === undefined) finishStep(step, job, name, { outcome: 'skipped', conclusion: 'skipped' });
    return;
  }
  const run = startStep({ step, frame, job, signal, outputs, env: ready.kind === 'run' ? ready.env : new Map() });
  await announce(run, name);
  const ended =
    ready.kind === 'broken'
      ? { ...outcomeOfError(ready.error), mayFail: false }
      : await carryOut(run, ready.scope, timeout);
  const outcome = ended.outcome === 'failure' && limit.aborted && !timeout.signal.aborted ? 'cancelled' : ended.outcome;
  const conclusion = outcome === 'failure' && ended.mayFail ? 'success' : outcome;
  for (const reason of ended.because) await run.log.line(`##[error]${reason}`);
  await run.log.close();
  if (conclusion === 'failure') frame.fail();
  record(step, frame, { outcome, conclusion, outputs });
  const [reason] = ended.because.map((text) => job.masker.mask(text));
  if (frame.top === undefined)
    finishStep(step, job, name, { outcome, conclusion, ...(reason === undefined ? {} : { reason }) });
}

/** What a step is before it starts: its variables and its name are known, and whether it runs at all. */
type ReadyStep =
  | { readonly kind: 'skip'; readonly name: string }
  | { readonly kind: 'run'; readonly name: string; readonly env: ReadonlyMap<string, string>; readonly scope: Scope }
  | { readonly kind: 'broken'; readonly name: string; readonly error: unknown };

async function readyStep(step: Step, frame: Frame, job: JobRun, signal: AbortSignal): Promise<ReadyStep> {
  let name = fallbackName(step);
  try {
    const env = await evaluateStringMap(step.env, stepScope(step, frame, job, new Map(), signal));
    const scope = stepScope(step, frame, job, env, signal);
    const isWanted = await evaluateCondition(step.if, scope);
    // A name may use what only exists when the step runs.
    if (isWanted || step.name === undefined) name = await stepName(step, scope);
    return isWanted ? { kind: 'run', name, env, scope } : { kind: 'skip', name };
  } catch (error) {
    return { kind: 'broken', name, error };
  }
}

/** Name of a step for people: its `name`, or what it does. */
async function stepName(step: Step, scope: Scope): Promise<string> {
  return step.name === undefined ? fallbackName(step) : interpolate(step.name, scope);
}

function fallbackName(step: Step): string {
  if (step.name !== undefined) return String(step.name.value);
  if (step.does.kind === 'provided') return step.does.name;
  const text = String(step.does.kind === 'uses' ? step.does.uses.value : step.does.script.value);
  const [first = ''] = text.trim().split('\n');
  return `Run ${first.length > 80 ? `${first.slice(0, 79)}…` : first}`;
}

function startStep(parts: Omit<StepRun, 'key' | 'log' | 'state'>): StepRun {
  const { step, frame, job, env, outputs } = parts;
  const state = new Map<string, string>();
  const allowed =
    env.get(unsecureCommands) ?? frame.action?.env.get(unsecureCommands) ?? job.state.env.get(unsecureCommands);
  const log: StepLog = openStepLog({
    section: { kind: 'step', index: frame.top ?? step.index, stage: 'main' },
    masker: job.masker,
    report: job.report,
    commands: stepCommands({
      outputs,
      state,
      setEnv: (name, value) => void job.state.env.set(name, value),
      addPath: (folder) => job.state.prependPath(folder),
      readFile: (path) => readText(parts, path),
    }),
    matchers: job.matchers,
    isDebug: job.runner.debug,
    allowUnsecureCommands: allowed === 'true',
  });
  return { ...parts, key: stepKey(step, frame), log, state };
}

const unsecureCommands = 'ACTIONS_ALLOW_UNSECURE_COMMANDS';
const maxMatcherBytes = 1024 * 1024;

async function readText(run: Pick<StepRun, 'job' | 'signal'>, path: string): Promise<string> {
  using ctx = openStepCall(run);
  const { target, info } = run.job.place;
  const bytes = await readFile(target, resolveInside(info, path), maxMatcherBytes, ctx);
  if (bytes === undefined) throw new Error('there is no such file');
  return Buffer.from(bytes).toString();
}

/** Does the work of a step within its time limit. */
async function carryOut(
  run: StepRun,
  scope: Scope,
  timeout: AbortController,
): Promise<StepOutcome & { readonly mayFail: boolean }> {
  let mayFail = false;
  try {
    mayFail = await isTrue(run.step.continueOnError, scope);
    const timeoutMs = await minutes(run.step.timeoutMinutes, scope, run.job.planned.timeoutMs);
    const timer = setTimeout(() => timeout.abort(), timeoutMs);
    const ended = await work(run, scope)
      .catch(outcomeOfError)
      .finally(() => clearTimeout(timer));
    if (!timeout.signal.aborted || ended.outcome === 'success') return { ...ended, mayFail };
    const because = [`The step ran longer than its limit of ${minutesText(timeoutMs)}`, ...ended.because];
    return { outcome: 'failure', because, mayFail };
  } catch (error) {
    return { ...outcomeOfError(error), mayFail };
  }
}

async function work(run: StepRun, scope: Scope): Promise<StepOutcome> {
  const { does } = run.step;
  switch (does.kind) {
    case 'run':
      return outcomeOfProcess(await runScript(run, does, scope));
    case 'uses': {
      const runInner = (step: Step, frame: Frame): Promise<void> => runStep(step, frame, run.job);
      return { outcome: await runAction(run, does, { scope, runStep: runInner }), because: [] };
    }
    case 'provided':
      await run.log.line(does.because);
      return { outcome: 'success', because: [] };
    default:
      return does satisfies never;
  }
}

/** The report knows the steps of the job; a step inside of an action only leaves a row in the log. */
async function announce(run: StepRun, name: string): Promise<void> {
  if (run.frame.top !== undefined) await run.log.line(`▸ ${name}`);
  else run.job.report.step({ kind: 'started', index: run.step.index, stage: 'main', name, atMs: Date.now() });
}

function finishStep(
  step: Step,
  job: JobRun,
  name: string,
  ended: { readonly outcome: StepResult; readonly conclusion: StepResult; readonly reason?: string },
): void {
  job.report.step({ kind: 'finished', index: step.index, stage: 'main', name, atMs: Date.now(), ...ended });
}

function record(
  step: Step,
  frame: Frame,
  entry: {
    readonly outcome: StepResult;
    readonly conclusion: StepResult;
    readonly outputs: ReadonlyMap<string, string>;
  },
): void {
  if (step.id !== undefined) frame.records.set(step.id, entry);
}
