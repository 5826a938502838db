import { evaluateStringMap, evaluateTree } from '../expressions/interpolate.ts';
import type { Scope } from '../expressions/scope.ts';
import type { Value } from '../expressions/values.ts';
import type { Task } from '../task/task.ts';
import type { YamlEntry, YamlNode } from '../workflow/yaml-node.ts';
import { checkVariableNames } from './variable-names.ts';

/**
 * The variables that workflow and job set. The job's replace those of the workflow before anything is evaluated, so that an
 * expression of either sees what counts; it sees those above it, and below it those that are plain text.
 *
 * Source: Forgejo's runner, which evaluates both in one go; docs/decisions/0015.
 */
export async function planEnv({ workflow, job }: Task, scope: Scope): Promise<ReadonlyMap<string, string>> {
  const env = new Map<string, string>();
  const visible = new Map<string, Value>();
  const inner = { ...scope, contexts: new Map([...scope.contexts, ['env', visible] as const]) };
  const replaced = new Set(entriesOf(job.env).map(({ key }) => key));
  const workflowEnv = without(workflow.env, replaced);
  for (const { key, value } of [...entriesOf(workflowEnv), ...entriesOf(job.env)].filter(isPlain)) {
    visible.set(key, await evaluateTree(value, inner));
  }
  for (const node of [workflowEnv, job.env]) {
    for (const part of partsOf(node)) {
      const own = await evaluateStringMap(part, inner);
      checkVariableNames(own, part);
      for (const [name, value] of own) {
        visible.set(name, value);
        env.set(name, value);
      }
    }
  }
  return env;
}

function entriesOf(node: YamlNode | undefined): readonly YamlEntry[] {
  return node?.kind === 'mapping' ? node.entries : [];
}

function without(node: YamlNode | undefined, keys: ReadonlySet<string>): YamlNode | undefined {
  if (node?.kind !== 'mapping') return node;
  return { ...node, entries: node.entries.filter(({ key }) => !keys.has(key)) };
}

/** A mapping entry by entry, so that each sees what came before; anything else as it is. */
function partsOf(node: YamlNode | undefined): readonly (YamlNode | undefined)[] {
  return node?.kind === 'mapping' ? node.entries.map((entry) => ({ ...node, entries: [entry] })) : [node];
}

function isPlain({ key, value }: YamlEntry): boolean {
  return !key.includes('${{') && value.kind === 'scalar' && !String(value.value).includes('${{');
}
