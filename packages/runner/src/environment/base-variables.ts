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
  'token',
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

/** What every step sees beside what its workflow sets: the `github` context, the machine, and the usual markers. */
export function baseVariables(
  github: ValueMap,
  info: EnvironmentInfo,
  runner: RunnerFacts,
): ReadonlyMap<string, string> {
  const variables = new Map<string, string>([
    ['CI', 'true'],
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
  if (runner.debug) variables.set('RUNNER_DEBUG', '1');
  for (const key of fromContext) {
    const value = findProperty(github, key);
    if (value === undefined || value === null) continue;
    const name = key.toUpperCase();
    variables.set(`GITHUB_${name}`, toText(value)).set(`FORGEJO_${name}`, toText(value));
  }
  return variables;
}
