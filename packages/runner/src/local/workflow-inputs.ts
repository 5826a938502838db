import { fromJsonValue, toText, type Value, type ValueMap } from '../expressions/values.ts';
import { type Problem, UserError } from '../user-error.ts';
import type { InputDeclaration, Workflow } from '../workflow/model.ts';
import type { JsonObject } from './event-payload.ts';

/**
 * The `inputs` of a run: what the payload of the event gives, and the defaults of the workflow for the rest, each in the
 * type that the workflow declares.
 *
 * @throws {UserError} `FRR503` for every input that is missing or not of its type.
 */
export function workflowInputs(workflow: Workflow, payload: JsonObject): ValueMap {
  const given = payload['inputs'];
  const raw = fromJsonValue(typeof given === 'object' && given !== null ? given : {});
  const values = new Map<string, Value>(raw instanceof Map ? raw : []);
  const problems: Problem[] = [];
  for (const [name, declared] of workflow.inputs) {
    const value = values.get(name) ?? declared.default?.value ?? null;
    if (value === null && declared.required)
      problems.push({ at: declared.at, message: `expected the input "${name}", found none` });
    else values.set(name, typed(name, value, declared, problems));
  }
  if (problems.length > 0) {
    throw new UserError('FRR503', {
      problems,
      next: 'give inputs in the payload: --eventpath FILE with {"inputs": {…}}',
    });
  }
  return values;
}

function typed(name: string, value: Value, declared: InputDeclaration, problems: Problem[]): Value {
  const wrong = (expected: string): Value => {
    problems.push({
      at: declared.at,
      message: `expected the input "${name}" to be ${expected}, found ${JSON.stringify(value)}`,
    });
    return value;
  };
  switch (declared.type) {
    case 'boolean':
      if (value === null || value === '') return false;
      if (typeof value === 'boolean') return value;
      return value === 'true' || value === 'false' ? value === 'true' : wrong('true or false');
    case 'number': {
      if (value === null) return '';
      const number = Number(value);
      return value === '' || Number.isNaN(number) ? wrong('a number') : number;
    }
    case 'choice':
      if (value === null) return declared.options[0] ?? '';
      return declared.options.includes(toText(value)) ? value : wrong(`one of ${declared.options.join(', ')}`);
    default:
      return value ?? '';
  }
}
