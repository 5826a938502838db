import { UserError } from '../user-error.ts';
import type { Scope } from '../expressions/scope.ts';
import type { Action, UseAction } from '../workflow/model.ts';
import { actionInputs } from './actions/action-inputs.ts';
import { type RunInnerStep, runCompositeAction } from './actions/composite-action.ts';
import { readLocalAction } from './actions/local-action.ts';
import type { StepRun } from './step-run.ts';

/**
 * Runs a `uses:` step: finds the action, gives it its inputs, and runs it as its kind wants.
 *
 * @throws UserError `FRR602` where the action cannot be found or run, `FRR502` where the label cannot run its kind.
 */
export async function runAction(
  run: StepRun,
  does: UseAction,
  details: { readonly scope: Scope; readonly runStep: RunInnerStep },
): Promise<'success' | 'failure' | 'cancelled'> {
  const { action, path } = await readLocalAction(run, does);
  const runs = action.runs;
  if (runs.kind !== 'composite') throw refused(run, action, does);
  const inputs = await actionInputs(action, does, details.scope);
  for (const warning of inputs.warnings) await run.log.line(`##[warning]${warning}`);
  for (const notice of action.notices) await run.log.line(`${notice.at.file}:${notice.at.line}: ${notice.message}`);
  return runCompositeAction(
    run,
    { ...action, runs },
    { inputs: inputs.values, origin: { path, ref: '', repository: '' }, runStep: details.runStep },
  );
}

/** A local action is only known after the checkout, so this refusal cannot come earlier. Nothing of the step was started. */
function refused(run: StepRun, action: Action, does: UseAction): UserError {
  const { configuration, resolved } = run.job.planned.label;
  const { containers } = resolved.capabilities;
  if (action.runs.kind === 'docker' && containers.via === 'none') {
    return new UserError('FRR502', {
      problems: [
        {
          at: does.uses.at,
          message: `label "${configuration.name}" (backend ${configuration.backend}) cannot run this step: ${action.name ?? action.file} is a Docker action. Nothing of the step was started`,
        },
      ],
      next: 'choose a label in runs-on whose backend has containers',
    });
  }
  const using =
    action.runs.kind === 'docker' ? 'docker' : action.runs.kind === 'composite' ? 'composite' : action.runs.using;
  return new UserError('FRR602', {
    problems: [
      {
        at: action.runs.at,
        message: `expected an action that this version of the runner can run (composite), found using: ${using}`,
      },
    ],
  });
}
