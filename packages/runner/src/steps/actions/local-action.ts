import { isBelow, joinInside, resolveInside } from '../../environment/job-paths.ts';
import { readFile } from '../../environment/target-files.ts';
import { quoted, UserError } from '../../user-error.ts';
import type { Action, UseAction } from '../../workflow/model.ts';
import { parseAction } from '../../workflow/parse-action.ts';
import { openStepCall, type StepRun } from '../step-run.ts';

/** An action that was found, and the folder in the environment where it lies. */
export interface FoundAction {
  readonly action: Action;
  readonly path: string;
}

/** More than any `action.yml` needs. */
const maxActionBytes = 1024 * 1024;

/**
 * Reads the action of `uses: ./path` from the workspace of the job.
 *
 * @throws UserError `FRR602` where there is none; what `parseAction` throws where it is malformed.
 */
export async function readLocalAction(run: StepRun, does: UseAction): Promise<FoundAction> {
  const { info, target } = run.job.place;
  const uses = String(does.uses.value);
  const folder = resolveInside(info, uses);
  if (!isBelow(info, info.paths.workspace, folder)) {
    throw new UserError('FRR602', {
      problems: [
        {
          at: does.uses.at,
          message: `expected the path of a local action to stay in the workspace, found ${quoted(uses)}`,
        },
      ],
    });
  }
  using ctx = openStepCall(run);
  for (const name of ['action.yml', 'action.yaml']) {
    const file = joinInside(info, folder, name);
    const bytes = await readFile(target, file, maxActionBytes, ctx);
    if (bytes !== undefined)
      return { action: parseAction(Buffer.from(bytes).toString(), joinInside(info, uses, name)), path: folder };
  }
  throw new UserError('FRR602', {
    problems: [{ at: does.uses.at, message: `expected action.yml or action.yaml in ${quoted(uses)}, found neither` }],
    next: 'check out the repository in an earlier step, and check the path',
  });
}
