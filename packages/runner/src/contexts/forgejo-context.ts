import type { Value, ValueMap } from '../expressions/values.ts';

/** Names under which workflows reach the same context. */
const aliases: readonly string[] = ['github', 'forgejo', 'forge', 'gitea'];

/** What differs from step to step in the `github` context. */
export interface StepPart {
  readonly action?: string;
  readonly actionPath?: string;
  readonly actionRef?: string;
  readonly actionRepository?: string;
  readonly actionStatus?: string;
  /** Paths of the step's command files, and others that the environment decides. */
  readonly paths?: ReadonlyMap<string, string>;
}

/** The `github` context under all of its names. Later parts win over what the server said. */
export function forgejoContexts(base: ValueMap, part: StepPart): ReadonlyMap<string, Value> {
  const context = new Map<string, Value>(base);
  if (part.action !== undefined) context.set('action', part.action);
  if (part.actionPath !== undefined) context.set('action_path', part.actionPath);
  if (part.actionRef !== undefined) context.set('action_ref', part.actionRef);
  if (part.actionRepository !== undefined) context.set('action_repository', part.actionRepository);
  if (part.actionStatus !== undefined) context.set('action_status', part.actionStatus);
  for (const [name, path] of part.paths ?? []) context.set(name, path);
  return new Map(aliases.map((name): [string, Value] => [name, context]));
}
