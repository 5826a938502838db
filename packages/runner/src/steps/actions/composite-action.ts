import type { StepRecord } from '../../contexts/steps-context.ts';
import { interpolate } from '../../expressions/interpolate.ts';
import type { Scope } from '../../expressions/scope.ts';
import type { StepResult } from '../../report/job-report.ts';
import { UserError } from '../../user-error.ts';
import type { Action, Step } from '../../workflow/model.ts';
import type { Frame } from '../frame.ts';
import type { StepRun } from '../step-run.ts';
import { listScope } from '../step-scope.ts';

/** Where a composite action came from. */
export interface CompositeOrigin {
  readonly path: string;
  readonly ref: string;
  readonly repository: string;
}

/** As many levels of actions in actions as GitHub allows. */
const maxDepth = 10;

/**
 * Runs the steps of a composite action. They see the inputs of the action and each other, and share workspace, path and
 * environment with the job.
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
    readonly runStep: RunInnerStep;
  },
): Promise<'success' | 'failure' | 'cancelled'> {
  const depth = (run.frame.action?.depth ?? 0) + 1;
  if (depth > maxDepth) {
    throw new UserError('FRR602', {
      problems: [{ at: run.step.at, message: `expected at most ${maxDepth} actions inside of each other, found more` }],
      next: 'look for an action that uses itself',
    });
  }
  const ended = new Set<StepResult>();
  const frame: Frame = {
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
  for (const step of action.runs.steps) await details.runStep(step, frame);
  await setOutputs(run, action, listScope(frame, run.job, run.signal));
  if (ended.has('failure')) return 'failure';
  return ended.has('cancelled') ? 'cancelled' : 'success';
}

/** Runs one step of a list that is not the job's own. Handed in, as a step may be an action again. */
export type RunInnerStep = (step: Step, frame: Frame) => Promise<void>;

async function setOutputs(run: StepRun, action: Action, scope: Scope): Promise<void> {
  for (const [name, output] of action.outputs) {
    if (output.value !== undefined) run.outputs.set(name, await interpolate(output.value, scope));
  }
}
