import type { Action } from '../../workflow/model.ts';
import { makeStepFolder, takeCommandFiles } from '../command-file-folder.ts';
import { runProcess } from '../run-process.ts';
import { outcomeOfProcess, type StepOutcome } from '../step-result.ts';
import type { StepRun } from '../step-run.ts';
import { actionVariables } from './action-variables.ts';
import { actionFile, type FoundAction } from './find-action.ts';

/** A found action that runs on Node.js. */
export type FoundNodeAction = FoundAction & { readonly action: Action & { readonly runs: { readonly kind: 'node' } } };

/**
 * Runs the script of an action for the stage of its step with the environment's own `node`.
 *
 * @throws UserError `FRR601` where there is none, `FRR602` for a script outside of the action.
 */
export async function runNodeAction(
  run: StepRun,
  found: FoundNodeAction,
  inputs: ReadonlyMap<string, string>,
): Promise<StepOutcome> {
  const script = found.action.runs[run.stage];
  if (script === undefined) return { outcome: 'success', because: [] };
  const file = actionFile(run, found, script);
  const warning = await run.job.nodes.check(run, found.action);
  if (warning !== undefined && run.stage === 'main') await run.log.line(`##[warning]${warning}`);
  await makeStepFolder(run, []);
  const result = await runProcess(run, {
    argv: ['node', file],
    cwd: run.job.place.info.paths.workspace,
    actionVariables: actionVariables(run, found, inputs),
  });
  return takeCommandFiles(run, outcomeOfProcess(result));
}
