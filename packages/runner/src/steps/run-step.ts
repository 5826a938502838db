import { startTimeLimit } from '../environment/time-limit.ts';
import { minutesText } from '../job/job-limits.ts';
import type { Scope } from '../expressions/scope.ts';
import type { JobRun } from '../job/job-run.ts';
import { isTrue, minutes } from '../plan/plan-job.ts';
import type { StepResult } from '../report/job-report.ts';
import { traced } from '../trace.ts';
import type { Step } from '../workflow/model.ts';
import type { Frame } from './frame.ts';
import { openLogOfStep } from './log-of-step.ts';
import { outcomeOfFailure } from './lost-environment.ts';
import { type ReadyStep, readyStep } from './ready-step.ts';
import { runAction } from './run-action.ts';
import { runScript } from './run-script.ts';
import { outcomeOfError, type StepOutcome } from './step-result.ts';
import { type StepRun, stepKey } from './step-run.ts';

/**
 * Runs one step, of a job or of a composite action: condition, work, conclusion. Never rejects for what the step does;
 * how it ended stands in the records of the frame and in the job report.
 */
export async function runStep(step: Step, frame: Frame, job: JobRun): Promise<void> {
  // A step that starts after the cancellation wanted to: it gets the grace time.
  const limit = job.signals.cancel.aborted ? job.signals.grace : job.signals.cancel;
  const timeout = new AbortController();
  const around = frame.timeout === undefined ? [] : [frame.timeout];
  const signal = AbortSignal.any([limit, timeout.signal, ...around]);
  const ready = await readyStep(step, frame, job, signal);
  const name = job.masker.mask(ready.name);
  const outputs = new Map<string, string>();
  if (ready.kind === 'skip') {
    conclude({ step, frame, job }, name, { outcome: 'skipped', conclusion: 'skipped', outputs });
    return;
  }
  const env = ready.kind === 'run' ? ready.env : new Map<string, string>();
  const key = stepKey(step, frame);
  const started = { step, frame, job, stage: 'main', signal, outputs, env, state: job.actions.of(key).state } as const;
  const run: StepRun = { ...started, key, log: openLogOfStep(started) };
  await announce(run, name);
  const ended = await traced('step', { name, index: step.index, stage: 'main' }, async (span) => {
    const done = await carryOut(run, timeout, ready);
    span.setAttribute('outcome', done.outcome);
    return done;
  });
  // The end of a process that was told to stop may look like a failure of its own.
  const isCancelled = limit.aborted && !timeout.signal.aborted;
  const outcome = ended.outcome === 'failure' && isCancelled ? 'cancelled' : ended.outcome;
  const conclusion = outcome === 'failure' && ended.mayFail ? 'success' : outcome;
  for (const reason of ended.because) await run.log.line(`##[error]${reason}`);
  await run.log.close();
  const [reason] = ended.because.map((text) => job.masker.mask(text));
  // Once more: the step may have hidden a part of its own name.
  const nameNow = job.masker.mask(ready.name);
  conclude(run, nameNow, { outcome, conclusion, outputs, ...(reason === undefined ? {} : { reason }) });
}

/** Does the work of a step within its time limit; a step that is broken has none, and `continue-on-error` all the same. */
async function carryOut(
  run: StepRun,
  timeout: AbortController,
  ready: Exclude<ReadyStep, { readonly kind: 'skip' }>,
): Promise<StepOutcome & { readonly mayFail: boolean }> {
  let mayFail = false;
  try {
    mayFail = await isTrue(run.step.continueOnError, ready.scope);
    if (ready.kind === 'broken') return { ...outcomeOfError(ready.error), mayFail };
    // Without a limit of its own a step has that of the job, which ends it by cancelling.
    const timeoutMs = await minutes(run.step.timeoutMinutes, ready.scope, Number.POSITIVE_INFINITY);
    using _limit = startTimeLimit(timeoutMs, () => timeout.abort());
    const ended = await work(run, ready.scope, timeout.signal).catch((error: unknown) =>
      outcomeOfFailure(error, run.job),
    );
    if (!timeout.signal.aborted || ended.outcome === 'success') return { ...ended, mayFail };
    const because = [`The step ran longer than its limit of ${minutesText(timeoutMs)}`, ...ended.because];
    return { outcome: 'failure', because, mayFail };
  } catch (error) {
    return { ...outcomeOfError(error), mayFail };
  }
}

async function work(run: StepRun, scope: Scope, timeout: AbortSignal): Promise<StepOutcome> {
  const { step, frame, job } = run;
  const { does } = step;
  switch (does.kind) {
    case 'run':
      return runScript(run, does, scope);
    case 'uses': {
      const limits = frame.timeout === undefined ? [timeout] : [timeout, frame.timeout];
      const inner = AbortSignal.any(limits);
      const runInner = (one: Step, list: Frame): Promise<void> => runStep(one, { ...list, timeout: inner }, job);
      return runAction(run, does, { scope, runStep: runInner });
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

/** Records how a step ended, for the steps after it and for the report. */
function conclude(
  { step, frame, job }: Pick<StepRun, 'step' | 'frame' | 'job'>,
  name: string,
  ended: {
    readonly outcome: StepResult;
    readonly conclusion: StepResult;
    readonly outputs: ReadonlyMap<string, string>;
    readonly reason?: string;
  },
): void {
  const { outputs, ...results } = ended;
  frame.concluded(ended.conclusion);
  if (step.id !== undefined) frame.records.set(step.id, { ...results, outputs });
  if (frame.top !== undefined) return;
  job.report.step({ kind: 'finished', index: step.index, stage: 'main', name, atMs: Date.now(), ...results });
}
