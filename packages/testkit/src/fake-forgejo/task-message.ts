import { create, type JsonObject } from '@bufbuild/protobuf';
import { Result, type Task, type TaskNeed, TaskNeedSchema, TaskSchema } from '@forgejo-runner/protocol';
import { isDone, type KnownJob, type KnownTask, type TaskResult } from './known-task.ts';

/** What the server tells about itself in every task. */
export interface ServerIdentity {
  /** Where its pages are, without a slash at the end. */
  readonly url: string;
  readonly version: string;
  readonly defaultActionsUrl: string;
}

/** The number of a result on the wire. */
export const resultNumbers: Readonly<Record<TaskResult, Result>> = {
  success: Result.SUCCESS,
  failure: Result.FAILURE,
  cancelled: Result.CANCELLED,
  skipped: Result.SKIPPED,
};

/** Makes the message that hands a task out. */
export function taskMessage(task: KnownTask, server: ServerIdentity): Task {
  const { job, token } = task;
  const tokens = { FORGEJO_TOKEN: token, GITHUB_TOKEN: token, GITEA_TOKEN: token };
  return create(TaskSchema, {
    id: BigInt(task.id),
    workflowPayload: job.built.payload,
    context: contextOf(task, server),
    secrets: { ...job.spec.secrets, ...tokens },
    vars: { ...job.spec.vars },
    needs: Object.fromEntries(Object.entries(job.needs).map(([id, need]) => [id, needMessage(need)])),
  });
}

function needMessage({ status, task }: KnownJob): TaskNeed {
  const result = isDone(status) ? resultNumbers[status] : Result.UNSPECIFIED;
  return create(TaskNeedSchema, { outputs: Object.fromEntries(task?.outputs ?? []), result });
}

/** Keys as Forgejo writes them. */
function contextOf({ id, job, token, startedMs }: KnownTask, server: ServerIdentity): JsonObject {
  const { repository, built, spec } = job;
  const [owner = ''] = repository.split('/');
  const runtimeToken = runtimeTokenOf(id, startedMs);
  const context = {
    action: '',
    action_path: '',
    action_ref: '',
    action_repository: '',
    action_status: '',
    actor: owner,
    actor_id: '1',
    api_url: `${server.url}/api/v1`,
    base_ref: '',
    env: '',
    event: {},
    event_name: spec.event ?? 'push',
    event_path: '',
    graphql_url: '',
    head_ref: '',
    job: built.id,
    job_name: built.id,
    path: '',
    ref: 'refs/heads/main',
    ref_name: 'main',
    ref_protected: false,
    ref_type: 'branch',
    repository,
    repository_id: '1',
    repository_owner: owner,
    repository_owner_id: '1',
    repositoryUrl: `${server.url}/${repository}`,
    retention_days: '',
    run_attempt: '1',
    run_id: String(job.id),
    run_number: String(job.id),
    runner_perflog: '',
    runner_tracking_id: '',
    secret_source: 'Actions',
    server_url: server.url,
    sha: '0123456789abcdef0123456789abcdef01234567',
    token,
    triggering_actor: '',
    workflow: built.workflowName,
    workflow_ref: `${repository}/.forgejo/workflows/test.yml@refs/heads/main`,
    workspace: '',
    gitea_default_actions_url: server.defaultActionsUrl,
    gitea_runtime_token: runtimeToken,
    forgejo_runtime_token: runtimeToken,
    forgejo_server_version: server.version,
    ...spec.context,
  };
  // What a test lays over it is to be JSON, as all of the above is; anything else would not survive this.
  return JSON.parse(JSON.stringify(context)) as JsonObject;
}

/** Looks like the token that jobs upload with; nobody checks its signature. */
function runtimeTokenOf(taskId: number, startedMs: number): string {
  const issuedAt = Math.floor(startedMs / 1000);
  const claims = { scp: `Actions.Results:${taskId}:${taskId}`, TaskID: taskId, nbf: issuedAt, exp: issuedAt + 86_400 };
  return `${tokenPart({ alg: 'HS256', typ: 'JWT' })}.${tokenPart(claims)}.${tokenPart(`signature of task ${taskId}`)}`;
}

function tokenPart(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
