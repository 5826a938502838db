import { interpolate } from '../expressions/interpolate.ts';
import type { Scope } from '../expressions/scope.ts';
import type { Problem } from '../user-error.ts';
import type { Notice, SecretDeclaration, WorkflowCall } from '../workflow/model.ts';
import type { Place } from '../workflow/yaml-node.ts';
import { isEnough, missing, nameFinder, scopeAt, unknown } from './call-inputs.ts';

/** A call whose secrets are to be handed on. */
export interface SecretsOfCall {
  /** Where the call stands. */
  readonly at: Place;
  readonly given: WorkflowCall['secrets'];
  readonly declared: ReadonlyMap<string, SecretDeclaration>;
  /** Those of the caller. */
  readonly own: ReadonlyMap<string, string>;
}

/** What a called workflow gets to see of secrets. */
export interface CallSecrets {
  readonly secrets: ReadonlyMap<string, string>;
  readonly notices: readonly Notice[];
}

/** The token of the run is there in called workflows without being passed. */
const tokenNames: readonly string[] = ['GITHUB_TOKEN', 'FORGEJO_TOKEN', 'GITEA_TOKEN'];

/**
 * The `secrets` of a called workflow: all of the caller's with `inherit`, else those that it passes and nothing more.
 * What does not fit goes to `problems`, with the places of both.
 *
 * @throws ExpressionError for an expression that is wrong.
 */
export async function callSecrets(call: SecretsOfCall, scope: Scope, problems: Problem[]): Promise<CallSecrets> {
  if (call.given === 'inherit') return { secrets: call.own, notices: missingNotices(call) };
  const secrets = new Map([...call.own].filter(([name]) => tokenNames.includes(name.toUpperCase())));
  const passed = scopeAt('job.secrets', scope);
  const given = new Set<string>();
  const find = nameFinder(call.declared);
  for (const { key, keyAt, value } of call.given?.entries ?? []) {
    if (isEnough(problems)) break;
    const name = find(key);
    if (name === undefined) problems.push(unknown('secret', key, keyAt, [...call.declared.keys()]));
    else if (value.kind === 'scalar') {
      given.add(name);
      secrets.set(name, await interpolate(value, passed));
    }
  }
  for (const [name, { required, at }] of call.declared) {
    if (required && !given.has(name) && !isEnough(problems)) problems.push(...missing('secret', name, call.at, at));
  }
  return { secrets, notices: [] };
}

/** Nobody says with `inherit` what is passed, so what lacks is no mistake of the caller's. Its reader may wonder. */
function missingNotices({ declared, own }: SecretsOfCall): readonly Notice[] {
  const find = nameFinder(own);
  return [...declared]
    .filter(([name, { required }]) => required && find(name) === undefined)
    .map(([name, { at }]) => ({
      at,
      message: `the secret "${name}" is required, and not among those that are inherited`,
    }));
}
