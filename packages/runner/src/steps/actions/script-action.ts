import type { ExecResult } from '@forgejo-runner/core';
import { joinInside, stepFolder } from '../../environment/job-paths.ts';
import type { Action } from '../../workflow/model.ts';
import { makeStepFolder, takeCommandFiles } from '../command-file-folder.ts';
import { runProcess } from '../run-process.ts';
import { outcomeOfProcess, type StepOutcome } from '../step-result.ts';
import type { StepRun } from '../step-run.ts';
import { actionVariables } from './action-variables.ts';
import { actionFile, type FoundAction } from './find-action.ts';

/** A found action of one of Forgejo's own kinds. */
export type FoundScriptAction = FoundAction & { readonly action: Action & { readonly runs: ScriptRuns } };

type ScriptRuns = Extract<Action['runs'], { readonly kind: 'script' }>;

/**
 * Runs an action of a kind that only Forgejo has: `sh` hands `main` to a shell, `go` builds `main` where the action
 * lies and runs what came out. Both work in the workspace, with the environment's own programs.
 *
 * @throws UserError `FRR602` for a Go file outside of the action.
 */
export async function runScriptAction(
  run: StepRun,
  found: FoundScriptAction,
  inputs: ReadonlyMap<string, string>,
): Promise<StepOutcome> {
  const { info } = run.job.place;
  const { using, main } = found.action.runs;
  const actionEnv = actionVariables(run, found, inputs);
  const start = (argv: readonly [string, ...string[]], cwd: string): Promise<ExecResult> =>
    runProcess(run, { argv, cwd, actionVariables: actionEnv });
  const file = using === 'go' ? actionFile(run, found, main) : undefined;
  await makeStepFolder(run, []);
  if (file === undefined) {
    const result = await start(['sh', '-c', main], info.paths.workspace);
    return takeCommandFiles(run, outcomeOfProcess(result));
  }
  const program = joinInside(info, stepFolder(info, run.key), info.os === 'Windows' ? 'action.exe' : 'action');
  const built = outcomeOfProcess(await start(['go', 'build', '-o', program, '--', file], found.path));
  if (built.outcome !== 'success') return { ...built, because: ['The action could not be built', ...built.because] };
  const result = await start([program], info.paths.workspace);
  return takeCommandFiles(run, outcomeOfProcess(result));
}
