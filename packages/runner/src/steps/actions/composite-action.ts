import type { StepRecord } from '../../contexts/steps-context.ts';
import { interpolate } from '../../expressions/interpolate.ts';
import type { Scope } from '../../expressions/scope.ts';
import type { StepResult } from '../../report/job-report.ts';
import { UserError } from '../../user-error.ts';
import type { Action, Step } from '../../workflow/model.ts';
import { maxActionDepth } from '../../plan/plan-steps.ts';
import type { Frame } from '../frame.ts';
import type { StepOutcome } from '../step-result.ts';
import type { StepRun } from '../step-run.ts';
import { listScope } from '../step-scope.ts';

/** Where a composite action came from. */
export interface CompositeOrigin {
  readonly path: string;
  readonly ref: string;
  readonly repository: string;
}

/** How the stages of the steps inside are run. Handed in, as a step may be an action again. */
export interface CompositeStages {
  /** Runs one step; for the main stage. */
  readonly runStep?: (step: Step, frame: Frame) => Promise<void>;
  readonly runPre?: (steps: readonly Step[], frame: Frame) => Promise<readonly StepResult[]>;
  readonly runPost?: () => Promise<readonly StepResult[]>;
}

/**
 * Runs a stage of the steps of a composite action. They see the inputs of the action and each other, and share
 * workspace, path and environment with the job.
 *
 * @returns the worst that a step came to; the outputs are set in `run.outputs` all the same.
 * @throws UserError `FRR602` for actions that go too deep.
 */
export async function runCompositeAction(
  run: StepRun,
  action: Action & { readonly runs: { readonly kind: 'composite' } },
  details: {
    readonly inputs: ReadonlyMap<string, string>;
    readonly origin: CompositeOrigin;
  } & CompositeStages,
): Promise<StepOutcome> {
  if (run.stage === 'post') return worst((await details.runPost?.()) ?? []);
  const ended = new Set<StepResult>();
  const frame = openFrame(run, details, ended);
  if (run.stage === 'pre') return worst((await details.runPre?.(action.runs.steps, frame)) ?? []);
  for (const step of action.runs.steps) await details.runStep?.(step, frame);
  await setOutputs(run, action, listScope(frame, run.job, run.signal));
  return worst([...ended]);
}

function openFrame(
  run: StepRun,
  details: { readonly inputs: ReadonlyMap<string, string>; readonly origin: CompositeOrigin },
  ended: Set<StepResult>,
): Frame {
  const depth = (run.frame.action?.depth ?? 0) + 1;
  if (depth > maxActionDepth) {
    throw new UserError('FRR602', {
      problems: [
        { at: run.step.at, message: `expected at most ${maxActionDepth} actions inside of each other, found more` },
      ],
      next: 'look for an action that uses itself',
    });
  }
  return {
    records: new Map<string, StepRecord>(),
    status: () => (run.job.state.status === 'cancelled' ? 'cancelled' : ended.has('failure') ? 'failure' : 'success'),
    concluded: (conclusion) => void ended.add(conclusion),
    top: run.frame.top ?? run.step.index,
    action: {
      inputs: new Map(details.inputs),
      ...details.origin,
      env: new Map([...(run.frame.action?.env ?? []), ...run.env]),
      key: run.key,
      depth,
    },
  };
}

function worst(results: readonly StepResult[]): StepOutcome {
  const outcome = (['failure', 'cancelled'] as const).find((result) => results.includes(result));
  return { outcome: outcome ?? 'success', because: [] };
}

async function setOutputs(run: StepRun, action: Action, scope: Scope): Promise<void> {
  for (const [name, output] of action.outputs) {
    if (output.value !== undefined) run.outputs.set(name, await interpolate(output.value, scope));
  }
}
