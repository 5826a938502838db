import type { EnvironmentInfo } from '@forgejo-runner/core';
import { findProperty, toText, type ValueMap } from '../expressions/values.ts';
import type { RunnerFacts } from './runner-facts.ts';

/** Variables that stand for a key of the `github` context, with both prefixes, `GITHUB_` and `FORGEJO_`. */
const fromContext: readonly string[] = [
  'action',
  'action_path',
  'action_ref',
  'action_repository',
  'actor',
  'actor_id',
  'api_url',
  'base_ref',
  'event_name',
  'event_path',
  'graphql_url',
  'head_ref',
  'job',
  'ref',
  'ref_name',
  'ref_protected',
  'ref_type',
  'repository',
  'repository_id',
  'repository_owner',
  'repository_owner_id',
  'retention_days',
  'run_attempt',
  'run_id',
  'run_number',
  'server_url',
  'sha',
  'triggering_actor',
  'workflow',
  'workflow_ref',
  'workflow_sha',
  'workspace',
  'env',
  'output',
  'path',
  'state',
  'step_summary',
];

/**
 * What a step sees unless somebody sets it otherwise. GitHub documents that `CI` may be replaced, and on GitHub the
 * token is no variable at all before a workflow makes it one: handing steps another one is common.
 */
export function replaceableVariables(github: ValueMap): ReadonlyMap<string, string> {
  const token = toText(findProperty(github, 'token') ?? null);
  return new Map([
    ['CI', 'true'],
    // Tells actions that this is no machine of GitHub's; the Go runner sets it as well.
    ['ACT', 'true'],
    ...(token === ''
      ? []
      : ([
          ['GITHUB_TOKEN', token],
          ['FORGEJO_TOKEN', token],
        ] as const)),
  ]);
}

/** What every step sees and only a step's own `env` replaces: the `github` context, the machine, and markers. */
export function baseVariables(
  github: ValueMap,
  info: EnvironmentInfo,
  runner: RunnerFacts,
): ReadonlyMap<string, string> {
  const variables = new Map<string, string>([
    ['GITHUB_ACTIONS', 'true'],
    ['FORGEJO_ACTIONS', 'true'],
    ['FORGEJO_ACTIONS_RUNNER_VERSION', runner.version],
    ['RUNNER_NAME', runner.name],
    ['RUNNER_ENVIRONMENT', 'self-hosted'],
    ['RUNNER_OS', info.os],
    ['RUNNER_ARCH', info.arch],
    ['RUNNER_TEMP', info.paths.temp],
    ['RUNNER_TOOL_CACHE', info.paths.toolCache],
    ['RUNNER_WORKSPACE', info.paths.workspace],
  ]);
  if (runner.actionsRuntime !== undefined) {
    const { url, resultsUrl, token } = runner.actionsRuntime;
    variables.set('ACTIONS_RUNTIME_URL', url).set('ACTIONS_RUNTIME_TOKEN', token);
    variables.set('ACTIONS_RESULTS_URL', resultsUrl);
  }
  if (runner.idTokenRequest !== undefined) {
    const { url, token } = runner.idTokenRequest;
    variables.set('ACTIONS_ID_TOKEN_REQUEST_URL', url).set('ACTIONS_ID_TOKEN_REQUEST_TOKEN', token);
  }
  for (const [name, value] of runner.services ?? []) variables.set(name, value);
  if (runner.debug) variables.set('RUNNER_DEBUG', '1');
  for (const key of fromContext) {
    const value = findProperty(github, key);
    if (value === undefined || value === null) continue;
    const name = key.toUpperCase();
    variables.set(`GITHUB_${name}`, toText(value)).set(`FORGEJO_${name}`, toText(value));
  }
  return variables;
}
