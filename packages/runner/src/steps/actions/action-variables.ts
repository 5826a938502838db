import type { StepRun } from '../step-run.ts';
import type { FoundAction } from './find-action.ts';

/**
 * Variables that a process of an action sees beside those of its step: inputs, saved state, and where it comes from.
 *
 * Source: GitHub's metadata syntax, `inputs`: upper case, spaces become `_`; nothing else changes.
 */
export function actionVariables(
  run: StepRun,
  found: FoundAction,
  inputs: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const variables = new Map<string, string>();
  for (const [name, value] of inputs) set(variables, `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`, value);
  for (const [name, value] of run.state) set(variables, `STATE_${name}`, value);
  const origin = { ACTION_PATH: found.path, ACTION_REPOSITORY: found.repository, ACTION_REF: found.ref };
  for (const [name, value] of Object.entries(origin))
    variables.set(`GITHUB_${name}`, value).set(`FORGEJO_${name}`, value);
  return variables;
}

/** What cannot be a variable is none: a name comes from `with`, or from what an action saved. */
function set(variables: Map<string, string>, name: string, value: string): void {
  if (!/[=\0]/.test(name) && !value.includes('\0')) variables.set(name, value);
}
