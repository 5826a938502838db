import type { InstanceConnection } from '../forgejo/connection.ts';
import { toText } from '../expressions/values.ts';
import type { RunnerFacts } from '../environment/runner-facts.ts';
import type { Masker } from '../log/masker.ts';
import { jobScope } from '../plan/plan-job.ts';
import { nameOfStep } from '../steps/ready-step.ts';
import { type DecodedTask, decodeTask } from '../task/decode-task.ts';
import type { TaskMessage } from '../task/task-message.ts';

/** A task as far as it could be read: what is wrong with it is for the log of its job. */
export interface TaskJob {
  readonly taskId: string;
  readonly decoded: DecodedTask | undefined;
  /** Why `decoded` is missing. */
  readonly error?: unknown;
  readonly repository: string;
  readonly workflow: string;
  readonly job: string;
  readonly stepNames: readonly string[];
}

/** Reads a task, whatever is wrong with it. Names are masked. */
export async function readTaskJob(message: TaskMessage, masker: Masker): Promise<TaskJob> {
  for (const secret of Object.values(message.secrets)) if (secret !== '') masker.add(secret);
  const text = (key: string): string => {
    const value = message.context?.[key];
    return typeof value === 'string' ? masker.mask(value) : '';
  };
  const known = {
    taskId: String(message.id),
    repository: text('repository'),
    workflow: text('workflow'),
    job: text('job'),
  };
  try {
    const decoded = await decodeTask(message);
    const { runtimeToken, idTokenRequest } = decoded.facts;
    for (const token of [runtimeToken, idTokenRequest?.token]) if (token !== undefined) masker.add(token);
    const scope = jobScope(decoded.task);
    // Only a guess: what steps before it set is not known yet.
    const names = decoded.task.job.steps.map(async (step) =>
      masker.mask(await nameOfStep(step, scope).catch(() => step.id ?? `Step ${step.index + 1}`)),
    );
    return { ...known, decoded, stepNames: await Promise.all(names) };
  } catch (error) {
    return { ...known, decoded: undefined, error, stepNames: [] };
  }
}

/** What a job may know about the runner, and its way to the instance's artifacts. */
export function factsOfTask(
  { task, facts }: DecodedTask,
  runner: Pick<RunnerFacts, 'name' | 'version' | 'envs'>,
  connection: Pick<InstanceConnection, 'url'>,
): RunnerFacts {
  const names = ['ACTIONS_STEP_DEBUG', 'ACTIONS_RUNNER_DEBUG'];
  const debug = names.some((name) => (task.secrets.get(name) ?? task.vars.get(name)) === 'true');
  const base = urlForJobs(task, connection);
  const { runtimeToken: token, idTokenRequest } = facts;
  return {
    ...runner,
    debug,
    ...(token === undefined
      ? {}
      : { actionsRuntime: { url: `${base}/api/actions_pipeline/`, resultsUrl: base, token } }),
    ...(idTokenRequest === undefined ? {} : { idTokenRequest }),
  };
}

/** Where a job reaches its instance: a socket of the runner's machine is no address for it. */
export function urlForJobs({ github }: DecodedTask['task'], { url }: Pick<InstanceConnection, 'url'>): string {
  return /^https?:/.test(url) ? url : toText(github.get('server_url') ?? '').replace(/\/+$/, '');
}
