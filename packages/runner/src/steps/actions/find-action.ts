import { isBelow, joinInside, resolveInside } from '../../environment/job-paths.ts';
import { interpolate } from '../../expressions/interpolate.ts';
import type { Scope } from '../../expressions/scope.ts';
import { quoted, UserError } from '../../user-error.ts';
import type { Action, UseAction } from '../../workflow/model.ts';
import type { StepRun } from '../step-run.ts';
import { type RemoteAction, requireReference } from './action-source.ts';
import { readLocalAction } from './local-action.ts';

/** An action that was found, and where it lies in the environment. */
export interface FoundAction {
  readonly action: Action;
  readonly path: string;
  /** Folder that its files must not lead out of: the workspace, or the repository of the action. */
  readonly root: string;
  readonly repository: string;
  readonly ref: string;
  /** Absent for actions in the workspace, and for images. */
  readonly remote?: RemoteAction;
}

/**
 * Finds what a step uses, and puts a remote action into the environment.
 *
 * @throws UserError `FRR602` where there is none; what `parseAction` throws where it is malformed.
 */
export async function findAction(run: StepRun, does: UseAction, scope: Scope): Promise<FoundAction> {
  const { info } = run.job.place;
  const uses = await interpolate(does.uses, scope);
  // Where a server is missing the source knows better; any will do to tell the kinds apart.
  const reference = requireReference(uses, does.uses.at, 'https://default.invalid');
  if (reference.kind === 'local') {
    const local = await readLocalAction(run, uses, does.uses.at);
    return { ...local, root: info.paths.workspace, ref: '', repository: '' };
  }
  if (reference.kind === 'docker') {
    const at = does.uses.at;
    const runs = { kind: 'docker', image: uses, args: [], at } as const;
    const action: Action = { file: at.file, name: uses, inputs: new Map(), outputs: new Map(), runs, notices: [] };
    return { action, path: '', root: '', ref: '', repository: '' };
  }
  const remote = await run.job.planned.actions.find(uses, does.uses.at, run.signal);
  const root = await install(run, remote);
  const { path, ref, repository } = remote.reference;
  return {
    action: remote.action,
    path: path === '' ? root : joinInside(info, root, ...path.split('/')),
    root,
    ref,
    repository,
    remote,
  };
}

/** Puts the files of a repository into the environment, once in a job. */
async function install(run: StepRun, { repository }: RemoteAction): Promise<string> {
  const {
    place,
    actions: { installed },
  } = run.job;
  const dest = joinInside(place.info, place.info.paths.runner, 'actions', repository.id);
  if (installed.has(repository.id)) return dest;
  using ctx = place.call(run.signal, run.job.planned.timeoutMs);
  await place.target.copyIn({ dest, tar: repository.archive('', ctx.signal) }, ctx);
  installed.add(repository.id);
  return dest;
}

/**
 * A file of an action by its path in `action.yml`.
 *
 * @throws UserError `FRR602` for one that lies elsewhere.
 */
export function actionFile(run: StepRun, found: FoundAction, file: string): string {
  const { info } = run.job.place;
  const path = resolveInside({ ...info, paths: { ...info.paths, workspace: found.path } }, file);
  if (isBelow(info, found.root, path)) return path;
  throw new UserError('FRR602', {
    problems: [
      {
        at: found.action.runs.at,
        message: `expected a file of the action, found ${quoted(file)}, which leads out of it`,
      },
    ],
  });
}
