import { availabilityAt } from '../../contexts/availability.ts';
import { evaluateStringMap, interpolate } from '../../expressions/interpolate.ts';
import type { Scope } from '../../expressions/scope.ts';
import { type Problem, UserError } from '../../user-error.ts';
import type { Action, UseAction } from '../../workflow/model.ts';

/** Inputs of an action by their declared names, and remarks for the author of the step. */
export interface ActionInputs {
  readonly values: ReadonlyMap<string, string>;
  /** What a Docker action takes beside its inputs: `entrypoint` and `args` of `with`. */
  readonly container: { readonly entrypoint?: string; readonly args?: string };
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
  const container = action.runs.kind === 'docker' ? takeContainer(action, given) : {};
  const values = new Map<string, string>();
  const problems: Problem[] = [];
  const warnings: string[] = [];
  const title = action.name ?? action.file;
  for (const [name, declared] of action.inputs) {
    const found = given.get(name.toLowerCase());
    given.delete(name.toLowerCase());
    if (found !== undefined && declared.deprecationMessage !== undefined)
      warnings.push(`The input "${name}" of ${title} is deprecated: ${declared.deprecationMessage}`);
    if (found !== undefined) values.set(name, found.value);
    else if (declared.default !== undefined) values.set(name, await interpolate(declared.default, defaultScope(scope)));
    else if (declared.required) {
      const message = `expected the input "${name}", which ${title} requires, found none`;
      problems.push({ at: does.uses.at, message });
    } else values.set(name, '');
  }
  if (problems.length > 0)
    throw new UserError('FRR602', { problems, next: 'give the inputs under "with" of the step' });
  for (const { name, value } of given.values()) {
    values.set(name, value);
    warnings.push(`Unexpected input "${name}": ${title} has ${listed([...action.inputs.keys()])}`);
  }
  return { values, container, warnings };
}

type Given = Map<string, { readonly name: string; readonly value: string }>;

/** Source: GitHub's workflow syntax, `with.args` and `with.entrypoint`: no inputs, unless the action declares them. */
function takeContainer(action: Action, given: Given): ActionInputs['container'] {
  const declared = new Set([...action.inputs.keys()].map((name) => name.toLowerCase()));
  const [entrypoint, args] = ['entrypoint', 'args'].map((name) => {
    const value = given.get(name)?.value;
    if (!declared.has(name)) given.delete(name);
    return value === '' ? undefined : value;
  });
  return { ...(entrypoint === undefined ? {} : { entrypoint }), ...(args === undefined ? {} : { args }) };
}

/** What a default may use: an action must not read secrets or variables that nobody handed to it. */
function defaultScope(scope: Scope): Scope {
  const { contexts } = availabilityAt('action.inputs.default');
  return { ...scope, contexts: new Map([...scope.contexts].filter(([name]) => contexts.has(name))) };
}

function listed(names: readonly string[]): string {
  return names.length === 0 ? 'no inputs' : `the inputs ${names.map((name) => `"${name}"`).join(', ')}`;
}
