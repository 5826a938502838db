import { isValueMap, type Value, type ValueMap } from '../expressions/values.ts';
import type { InputDeclaration, Workflow } from '../workflow/model.ts';

/** Events whose payload has inputs. Jobs of a called workflow come with `workflow_call`. */
const eventsWithInputs: readonly (Value | undefined)[] = ['workflow_dispatch', 'workflow_call'];

/**
 * The `inputs` of a task. The server has checked them; what it sends as text gets the type that the workflow declares,
 * as far as it can be read so.
 */
export function taskInputs(workflow: Workflow, github: ValueMap): ValueMap {
  const event = github.get('event');
  const given = isValueMap(event) ? event.get('inputs') : undefined;
  const values = new Map<string, Value>(isValueMap(given) ? given : []);
  if (!eventsWithInputs.includes(github.get('event_name'))) return values;
  for (const [name, declared] of workflow.inputs) {
    const value = values.get(name) ?? defaultOf(declared);
    if (value !== undefined) values.set(name, typed(value, declared));
  }
  return values;
}

/** A default that is an expression was evaluated by the server where it counts. */
function defaultOf({ default: node }: InputDeclaration): Value | undefined {
  return node === undefined || String(node.value).includes('${{') ? undefined : node.value;
}

function typed(value: Value, { type }: InputDeclaration): Value {
  if (typeof value !== 'string') return value;
  if (type === 'boolean') return value === 'true';
  if (type !== 'number' || value.trim() === '') return value;
  const number = Number(value);
  return Number.isNaN(number) ? value : number;
}
