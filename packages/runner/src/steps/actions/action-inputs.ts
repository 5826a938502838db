import { evaluateStringMap, interpolate } from '../../expressions/interpolate.ts';
import type { Scope } from '../../expressions/scope.ts';
import { type Problem, UserError } from '../../user-error.ts';
import type { Action, UseAction } from '../../workflow/model.ts';

/** Inputs of an action by their declared names, and remarks for the author of the step. */
export interface ActionInputs {
  readonly values: ReadonlyMap<string, string>;
  readonly warnings: readonly string[];
}

/**
 * Takes `with` of a step together with the defaults of the action. Names ignore case, as they do on GitHub; an input
 * that the action does not declare is handed on and warned about.
 *
 * @throws UserError `FRR602` with every required input that is missing.
 */
export async function actionInputs(action: Action, does: UseAction, scope: Scope): Promise<ActionInputs> {
  const given = new Map(
    [...(await evaluateStringMap(does.with, scope))].map(([name, value]) => [name.toLowerCase(), { name, value }]),
  );
  const values = new Map<string, string>();
  const problems: Problem[] = [];
  for (const [name, declared] of action.inputs) {
    const found = given.get(name.toLowerCase());
    given.delete(name.toLowerCase());
    if (found !== undefined) values.set(name, found.value);
    else if (declared.default !== undefined) values.set(name, await interpolate(declared.default, scope));
    else if (declared.required) {
      problems.push({
        at: does.uses.at,
        message: `expected the input "${name}", which ${action.name ?? action.file} requires, found none`,
      });
    } else values.set(name, '');
  }
  if (problems.length > 0)
    throw new UserError('FRR602', { problems, next: 'give the inputs under "with" of the step' });
  const warnings: string[] = [];
  for (const { name, value } of given.values()) {
    values.set(name, value);
    warnings.push(`Unexpected input "${name}": ${action.name ?? action.file} has ${listed([...action.inputs.keys()])}`);
  }
  return { values, warnings };
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'no inputs' : `the inputs ${names.map((name) => `"${name}"`).join(', ')}`;
}
