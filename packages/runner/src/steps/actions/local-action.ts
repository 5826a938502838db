import { isBelow, joinInside, resolveInside } from '../../environment/job-paths.ts';
import { readFile } from '../../environment/target-files.ts';
import { quoted, UserError } from '../../user-error.ts';
import type { Action } from '../../workflow/model.ts';
import { parseAction } from '../../workflow/parse-action.ts';
import type { Place } from '../../workflow/yaml-node.ts';
import { openStepCall, type StepRun } from '../step-run.ts';
import { dockerfileAction } from './action-source.ts';

/** More than any `action.yml` needs. */
const maxActionBytes = 1024 * 1024;

/**
 * Reads the action of `uses: ./path` from the workspace of the job.
 *
 * @throws UserError `FRR602` where there is none; what `parseAction` throws where it is malformed.
 */
export async function readLocalAction(
  run: StepRun,
  uses: string,
  at: Place,
): Promise<{ readonly action: Action; readonly path: string }> {
  const { info, target } = run.job.place;
  const folder = resolveInside(info, uses);
  if (!isBelow(info, info.paths.workspace, folder)) {
    throw new UserError('FRR602', {
      problems: [
        { at, message: `expected the path of a local action to stay in the workspace, found ${quoted(uses)}` },
      ],
    });
  }
  using ctx = openStepCall(run);
  const read = (name: string): Promise<Uint8Array | undefined> =>
    readFile(target, joinInside(info, folder, name), maxActionBytes, ctx);
  for (const name of ['action.yml', 'action.yaml']) {
    const bytes = await read(name);
    if (bytes !== undefined)
      return { action: parseAction(Buffer.from(bytes).toString(), joinInside(info, uses, name)), path: folder };
  }
  // A Dockerfile alone is an action as well.
  if ((await read('Dockerfile')) !== undefined)
    return { action: dockerfileAction(joinInside(info, uses, 'Dockerfile')), path: folder };
  throw new UserError('FRR602', {
    problems: [{ at, message: `expected action.yml or action.yaml in ${quoted(uses)}, found neither` }],
    next: 'check out the repository in an earlier step, and check the path',
  });
}
