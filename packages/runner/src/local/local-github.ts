import { fromJsonValue, type Value, type ValueMap } from '../expressions/values.ts';
import type { Workflow } from '../workflow/model.ts';
import type { JsonObject } from './event-payload.ts';
import type { RepositoryContext } from './repository-context.ts';

/** What the instance would say about a run. */
export interface LocalRun {
  readonly repository: RepositoryContext;
  readonly event: string;
  readonly payload: JsonObject;
  readonly workflow: Workflow;
  /** Secret `GITHUB_TOKEN` or `FORGEJO_TOKEN`, where one was given. */
  readonly token?: string;
  readonly runId: string;
}

/** The `github` context of a local run, without what belongs to a single job. */
export function localGithub(run: LocalRun): ValueMap {
  const { repository, event, workflow } = run;
  const file = `.forgejo/workflows/${workflow.file.split(/[\\/]/).at(-1) ?? workflow.file}`;
  return new Map<string, Value>([
    ['event_name', event],
    ['event', fromJsonValue(run.payload)],
    ['repository', repository.repository],
    ['repository_owner', repository.owner],
    ['ref', repository.ref],
    ['ref_name', repository.refName],
    ['ref_type', repository.refType],
    ['ref_protected', false],
    ['sha', repository.sha],
    ['actor', repository.actor],
    ['triggering_actor', repository.actor],
    ['base_ref', pullRequestRef(run.payload, 'base')],
    ['head_ref', pullRequestRef(run.payload, 'head')],
    ['server_url', repository.serverUrl],
    ['api_url', `${repository.serverUrl}/api/v1`],
    ['graphql_url', ''],
    ['repositoryUrl', `${repository.serverUrl}/${repository.repository}`],
    // The name where there is one, the file otherwise, as GitHub documents it.
    ['workflow', workflow.name ?? file],
    ['workflow_ref', `${repository.repository}/${file}@${repository.ref}`],
    ['workflow_sha', repository.sha],
    ['run_id', run.runId],
    ['run_number', '1'],
    ['run_attempt', '1'],
    ['retention_days', '0'],
    ['secret_source', 'Actions'],
    ['token', run.token ?? ''],
  ]);
}

function pullRequestRef(payload: JsonObject, side: 'base' | 'head'): string {
  const { pull_request: request } = payload as { pull_request?: Record<string, { ref?: unknown } | undefined> };
  const ref = request?.[side]?.ref;
  return typeof ref === 'string' ? ref : '';
}
