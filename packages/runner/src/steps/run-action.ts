import { availabilityAt } from '../contexts/availability.ts';
import { forgejoContexts } from '../contexts/forgejo-context.ts';
import type { Scope } from '../expressions/scope.ts';
import { UserError } from '../user-error.ts';
import type { Action, UseAction } from '../workflow/model.ts';
import { type ActionInputs, actionInputs } from './actions/action-inputs.ts';
import { type CompositeStages, runCompositeAction } from './actions/composite-action.ts';
import { runDockerAction } from './actions/docker-action.ts';
import { findAction, type FoundAction } from './actions/find-action.ts';
import { runNodeAction } from './actions/node-action.ts';
import { runScriptAction } from './actions/script-action.ts';
import type { StepOutcome } from './step-result.ts';
import type { StepRun } from './step-run.ts';
import { githubContext } from './step-scope.ts';

/**
 * Runs the stage of a `uses:` step: finds the action, gives it its inputs, and runs it as its kind wants.
 *
 * @throws UserError `FRR602` where the action cannot be found or run, `FRR502` where the label cannot run its kind.
 */
export async function runAction(
  run: StepRun,
  does: UseAction,
  details: { readonly scope: Scope } & CompositeStages,
): Promise<StepOutcome> {
  const { scope } = details;
  const memory = run.job.actions.of(run.key);
  const found = (run.stage === 'post' ? memory.found : undefined) ?? (await findAction(run, does, scope));
  const inputs = await actionInputs(found.action, does, scope);
  if (run.stage === 'main') await remark(run, found.action, inputs);
  if (run.stage !== 'post' && mayHavePost(found.action)) {
    memory.found = found;
    run.job.actions.around(run.frame).posts.set(run.key, { step: run.step, frame: run.frame });
  }
  return runKind(run, found, inputs, details);
}

async function runKind(
  run: StepRun,
  found: FoundAction,
  inputs: ActionInputs,
  details: { readonly scope: Scope } & CompositeStages,
): Promise<StepOutcome> {
  const { action } = found;
  const { runs } = action;
  switch (runs.kind) {
    case 'composite': {
      const { path, ref, repository } = found;
      const origin = { path, ref, repository };
      return runCompositeAction(run, { ...action, runs }, { inputs: inputs.values, origin, ...details });
    }
    case 'node':
      return runNodeAction(run, { ...found, action: { ...action, runs } }, inputs.values);
    case 'docker': {
      const scope = actionScope(details.scope, found, inputs);
      return runDockerAction(run, { ...found, action: { ...action, runs } }, { inputs, scope });
    }
    case 'script':
      return runScriptAction(run, { ...found, action: { ...action, runs } }, inputs.values);
    case 'unknown':
      throw new UserError('FRR602', {
        problems: [
          {
            at: runs.at,
            message: `expected using: composite, docker, sh, go or node with a version, found using: ${runs.using}`,
          },
        ],
      });
    default:
      return runs satisfies never;
  }
}

/** What `runs` of an action may use: its own inputs, where it comes from, and nothing that nobody handed to it. */
export function actionScope(scope: Scope, found: FoundAction, inputs?: Pick<ActionInputs, 'values'>): Scope {
  const { contexts } = availabilityAt('action.runs');
  const visible = new Map([...scope.contexts].filter(([name]) => contexts.has(name)));
  const origin = { actionPath: found.path, actionRef: found.ref, actionRepository: found.repository };
  for (const [name, context] of forgejoContexts(githubContext(scope), origin)) visible.set(name, context);
  if (inputs !== undefined) visible.set('inputs', inputs.values);
  return { ...scope, contexts: visible };
}

/** Has the action something to do after the job? What is inside of a composite one is known when it has run. */
function mayHavePost({ runs }: Action): boolean {
  if (runs.kind === 'node') return runs.post !== undefined;
  return runs.kind === 'composite' || (runs.kind === 'docker' && runs.postEntrypoint !== undefined);
}

async function remark(run: StepRun, action: Action, inputs: ActionInputs): Promise<void> {
  for (const warning of inputs.warnings) await run.log.line(`##[warning]${warning}`);
  for (const notice of action.notices) await run.log.line(`${notice.at.file}:${notice.at.line}: ${notice.message}`);
}
