import { evaluateCondition } from '../expressions/condition.ts';
import { evaluateStringMap } from '../expressions/interpolate.ts';
import type { Scope } from '../expressions/scope.ts';
import type { JobRun } from '../job/job-run.ts';
import { isTrue } from '../plan/plan-job.ts';
import type { StepResult } from '../report/job-report.ts';
import type { Action, Step, UseAction } from '../workflow/model.ts';
import { traced } from '../trace.ts';
import type { YamlScalar } from '../workflow/yaml-node.ts';
import { findAction } from './actions/find-action.ts';
import type { Frame } from './frame.ts';
import { openLogOfStep } from './log-of-step.ts';
import { outcomeOfFailure } from './lost-environment.ts';
import { nameOfStep } from './ready-step.ts';
import { actionScope, runAction } from './run-action.ts';
import { outcomeOfError, type StepOutcome } from './step-result.ts';
import { type StepRun, stepKey } from './step-run.ts';
import { stepScope } from './step-scope.ts';

type Stage = 'pre' | 'post';

/** Runs what actions of a list want to do before its first step. */
export async function runPreSteps(steps: readonly Step[], frame: Frame, job: JobRun): Promise<readonly StepResult[]> {
  const results: StepResult[] = [];
  for (const step of steps) {
    if (job.planned.pre.has(step)) results.push(await runStage('pre', { step, frame, job }));
  }
  return results;
}

/** Runs what actions of a list want to do after the last step of the job: the last one first. */
export async function runPostSteps(frame: Frame, job: JobRun): Promise<readonly StepResult[]> {
  return runPosts(job.actions.around(frame).posts, job);
}

async function runPosts(
  posts: ReadonlyMap<string, { step: Step; frame: Frame }>,
  job: JobRun,
): Promise<readonly StepResult[]> {
  const results: StepResult[] = [];
  for (const [key, { step, frame }] of [...posts].toReversed()) {
    if (!hasPost(key, job)) continue;
    results.push(await runStage('post', { step, frame: withoutTimeout(frame), job }));
  }
  return results;
}

/** A composite action has only what those inside of it have. */
function hasPost(key: string, job: JobRun): boolean {
  const { found, posts } = job.actions.of(key);
  return found?.action.runs.kind !== 'composite' || [...posts.keys()].some((inner) => hasPost(inner, job));
}

/** The time limit of a step around was for its main stage. */
function withoutTimeout({ records, status, concluded, top, action }: Frame): Frame {
  return {
    records,
    status,
    concluded,
    ...(top === undefined ? {} : { top }),
    ...(action === undefined ? {} : { action }),
  };
}

interface StageOf {
  readonly step: Step;
  readonly frame: Frame;
  readonly job: JobRun;
}

/** Runs one stage of one action. Never rejects; how it ended stands in the report, and a failure in the list. */
async function runStage(stage: Stage, { step, frame, job }: StageOf): Promise<StepResult> {
  // Post steps log out and clean up: they get the grace time from the beginning.
  const isLate = stage === 'post' || job.signals.cancel.aborted;
  const signal = isLate ? job.signals.grace : job.signals.cancel;
  const key = stepKey(step, frame);
  const env = new Map<string, string>();
  const started = {
    step,
    frame,
    job,
    stage,
    signal,
    outputs: new Map<string, string>(),
    env,
    state: job.actions.of(key).state,
  };
  const run: StepRun = { ...started, key, log: openLogOfStep(started) };
  const title = `${stage === 'pre' ? 'Pre' : 'Post'} ${await nameOfStep(step, stepScope(step, frame, job, env, signal))}`;
  const name = job.masker.mask(title);
  const report = (ended: { outcome: StepResult; conclusion: StepResult; reason?: string }): StepResult => {
    frame.concluded(ended.conclusion);
    const change = { index: step.index, stage, name, atMs: Date.now() };
    if (frame.top === undefined) job.report.step({ kind: 'finished', ...change, ...ended });
    return ended.conclusion;
  };
  const ready = job.state.isEnvironmentLost ? ({ kind: 'skip' } as const) : await readyStage(run, env);
  if (ready.kind === 'skip') return report({ outcome: 'skipped', conclusion: 'skipped' });
  await announce(run, name);
  const ended = await traced('step', { name, index: step.index, stage }, async (span) => {
    const done = await carryOut(run, ready);
    span.setAttribute('outcome', done.outcome);
    return done;
  });
  const outcome = ended.outcome === 'failure' && signal.aborted ? 'cancelled' : ended.outcome;
  for (const text of ended.because) await run.log.line(`##[error]${text}`);
  await run.log.close();
  const [reason] = ended.because.map((text) => job.masker.mask(text));
  const conclusion = outcome === 'failure' && ended.mayFail ? 'success' : outcome;
  return report({ outcome, conclusion, ...(reason === undefined ? {} : { reason }) });
}

type ReadyStage =
  | { readonly kind: 'skip' }
  | { readonly kind: 'run'; readonly does: UseAction; readonly scope: Scope }
  | { readonly kind: 'broken'; readonly error: unknown };

/** Evaluates the variables of a step into `env`, and whether the stage is wanted. */
async function readyStage(run: StepRun, env: Map<string, string>): Promise<ReadyStage> {
  const { step, frame, job, signal } = run;
  const { does } = step;
  if (does.kind !== 'uses') return { kind: 'skip' };
  try {
    const bare = stepScope(step, frame, job, new Map(), signal);
    for (const [name, value] of await evaluateStringMap(step.env, bare)) env.set(name, value);
    const scope = stepScope(step, frame, job, env, signal);
    const found = job.actions.of(run.key).found ?? (await findAction(run, does, scope));
    const condition = conditionOf(found.action, run.stage);
    const isWanted = await evaluateCondition(condition, actionScope(scope, found), 'none');
    return isWanted ? { kind: 'run', does, scope } : { kind: 'skip' };
  } catch (error) {
    return { kind: 'broken', error };
  }
}

function conditionOf({ runs }: Action, stage: StepRun['stage']): YamlScalar | undefined {
  if (runs.kind !== 'node' && runs.kind !== 'docker') return undefined;
  return stage === 'pre' ? runs.preIf : runs.postIf;
}

async function carryOut(
  run: StepRun,
  ready: Exclude<ReadyStage, { readonly kind: 'skip' }>,
): Promise<StepOutcome & { readonly mayFail: boolean }> {
  if (ready.kind === 'broken') return { ...outcomeOfError(ready.error), mayFail: false };
  let mayFail = false;
  try {
    mayFail = await isTrue(run.step.continueOnError, ready.scope);
    const inner = {
      scope: ready.scope,
      runPre: (steps: readonly Step[], frame: Frame) => runPreSteps(steps, frame, run.job),
      runPost: () => runPosts(run.job.actions.of(run.key).posts, run.job),
    };
    return { ...(await runAction(run, ready.does, inner)), mayFail };
  } catch (error) {
    return { ...(await outcomeOfFailure(error, run.job)), mayFail };
  }
}

/** The report knows the steps of the job; a stage of a step inside of an action only leaves a row in the log. */
async function announce(run: StepRun, name: string): Promise<void> {
  const { frame, job, step, stage } = run;
  if (frame.top !== undefined) await run.log.line(`▸ ${name}`);
  else job.report.step({ kind: 'started', index: step.index, stage, name, atMs: Date.now() });
}
