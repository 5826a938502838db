import { evaluateCondition } from '../expressions/condition.ts';
import { evaluateStringMap, interpolate } from '../expressions/interpolate.ts';
import type { Scope } from '../expressions/scope.ts';
import type { JobRun } from '../job/job-run.ts';
import { checkVariableNames } from '../plan/variable-names.ts';
import type { Step } from '../workflow/model.ts';
import type { Frame } from './frame.ts';
import { stepScope } from './step-scope.ts';

/** What a step is before it starts: its variables and its name are known, and whether it runs at all. */
export type ReadyStep =
  | { readonly kind: 'skip'; readonly name: string }
  | { readonly kind: 'run'; readonly name: string; readonly env: ReadonlyMap<string, string>; readonly scope: Scope }
  /** Something in front of its work is wrong: the step fails without having run. */
  | { readonly kind: 'broken'; readonly name: string; readonly error: unknown; readonly scope: Scope };

/** Evaluates `env`, `if` and `name` of a step, in this order, as GitHub does. */
export async function readyStep(step: Step, frame: Frame, job: JobRun, signal: AbortSignal): Promise<ReadyStep> {
  const bare = stepScope(step, frame, job, new Map(), signal);
  if (job.state.isEnvironmentLost || frame.timeout?.aborted === true) return skipped(step, bare);
  let env: ReadonlyMap<string, string>;
  try {
    env = await evaluateStringMap(step.env, bare);
    checkVariableNames(env, step.env);
  } catch (error) {
    // A step that will not run need not be right: its variables may come from the step that failed.
    const isUnwanted = await evaluateCondition(step.if, bare).then(
      (isWanted) => !isWanted,
      () => false,
    );
    return isUnwanted ? skipped(step, bare) : { kind: 'broken', name: fallbackName(step), error, scope: bare };
  }
  const scope = stepScope(step, frame, job, env, signal);
  try {
    if (!(await evaluateCondition(step.if, scope))) return await skipped(step, scope);
    return { kind: 'run', name: await stepName(step, scope), env, scope };
  } catch (error) {
    return { kind: 'broken', name: fallbackName(step), error, scope };
  }
}

/** The name of a step that does not run may use what only exists when it does. */
async function skipped(step: Step, scope: Scope): Promise<ReadyStep> {
  return { kind: 'skip', name: await nameOfStep(step, scope) };
}

/** Name of a step for people, also where its `name` cannot be evaluated. */
export async function nameOfStep(step: Step, scope: Scope): Promise<string> {
  return stepName(step, scope).catch(() => fallbackName(step));
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
