import { type ContainerField, usedFields } from '@forgejo-runner/core';
import { forgejoContexts } from '../contexts/forgejo-context.ts';
import { plainContexts } from '../contexts/plain-contexts.ts';
import { statusFunctions, statusOfNeeds } from '../contexts/status-functions.ts';
import { evaluateCondition } from '../expressions/condition.ts';
import { evaluateScalar, evaluateTree, interpolate } from '../expressions/interpolate.ts';
import type { Scope } from '../expressions/scope.ts';
import type { Value } from '../expressions/values.ts';
import { matrixName } from '../graph/expand-matrix.ts';
import type { Task } from '../task/task.ts';
import { UserError } from '../user-error.ts';
import type { YamlScalar } from '../workflow/yaml-node.ts';
import { type ContainerPolicy, stepContainerOf } from './admin-policy.ts';
import { chooseLabel } from './choose-label.ts';
import { effectiveContainers, gate } from './gate.ts';
import { type ActionSource, JobActions } from './job-actions.ts';
import { planContainers } from './plan-containers.ts';
import type { LabelLookup, PlanResult } from './planned-job.ts';
import { planEnv } from './plan-env.ts';
import { planSteps } from './plan-steps.ts';

/** What planning needs beside the task. */
export interface PlanInput {
  readonly labels: LabelLookup;
  /** Time limit of a job that sets none, and of the administrator for every job. */
  readonly maxTimeoutMs: number;
  readonly policy: ContainerPolicy;
  /** What the Docker driver honours; absent where this runner has none. */
  readonly driverFields?: readonly ContainerField[];
  /** Where remote actions come from; without it they are refused. */
  readonly actions?: ActionSource;
  /** Ends the look for actions. */
  readonly signal?: AbortSignal;
}

/**
 * Decides everything about a job that can be known before its environment is made, and refuses what cannot run.
 *
 * @throws UserError `FRR501`, `FRR502`, `FRR503`, `FRR505`, `FRR602`; ExpressionError for an expression that is wrong.
 */
export async function planJob(task: Task, input: PlanInput): Promise<PlanResult> {
  const { job } = task;
  const because = await whySkipped(task);
  if (because !== undefined) return { kind: 'skip', because };
  const scope = jobScope(task);
  const runsOn = requireRunsOn(task);
  const label = chooseLabel(await evaluateTree(runsOn, scope), runsOn.at, input.labels);
  const actions = new JobActions(input.actions, task.github);
  const { pre, stepContainers, containerUses } = await planSteps(
    job.steps,
    scope,
    actions,
    input.signal ?? neverAborted,
  );
  const env = await planEnv(task, scope);
  const contexts = new Map([...scope.contexts, ['env', new Map<string, Value>(env)] as const]);
  const { policy } = input;
  const planned = await planContainers(job, { ...scope, contexts }, { policy, stepContainers });
  const containers = effectiveContainers(label.resolved.capabilities.containers, input.driverFields);
  const stepFields = usedFields({ image: '', pull: 'missing', ports: [], ...stepContainerOf(policy) });
  gate({ plan: planned.plan, containerUses, stepFields }, { label, containers }, job.at);
  return {
    kind: 'run',
    job: {
      task,
      name: await jobName(task, scope),
      label,
      containers: planned.plan,
      containerSupport: containers,
      policy,
      steps: job.steps,
      pre,
      actions,
      env,
      contexts: scope.contexts,
      timeoutMs: Math.min(await minutes(job.timeoutMinutes, scope, input.maxTimeoutMs), input.maxTimeoutMs),
      continueOnError: await isTrue(job.continueOnError, scope),
      notices: [...task.workflow.notices, ...job.notices, ...planned.notices],
    },
  };
}

const neverAborted = new AbortController().signal;

/**
 * Why a job is not to run, or `undefined` where it is.
 *
 * @throws ExpressionError for an `if` that is wrong.
 */
export async function whySkipped(task: Task): Promise<string | undefined> {
  const functions = statusFunctions(statusOfNeeds(task.before));
  if (await evaluateCondition(task.job.if, { ...jobScope(task), functions })) return undefined;
  return task.job.if === undefined ? 'a job that it needs did not succeed' : 'its if is not true';
}

/** What the expressions of a job see before it has an environment. */
export function jobScope(task: Task): Scope {
  return { contexts: new Map([...forgejoContexts(task.github, {}), ...plainContexts(task)]), functions: new Map() };
}

/** Name of a job for people: its `name`, or its id with the values of the matrix. */
export async function jobName(task: Pick<Task, 'job' | 'matrix'>, scope: Scope): Promise<string> {
  const { name, id } = task.job;
  if (name !== undefined) return interpolate(name, scope);
  return matrixName(id, task.matrix);
}

/** A time in minutes, which may be fractional, in milliseconds. */
export async function minutes(node: YamlScalar | undefined, scope: Scope, otherwiseMs: number): Promise<number> {
  if (node === undefined) return otherwiseMs;
  const value = await evaluateScalar(node, scope);
  if (value === null || value === '') return otherwiseMs;
  const number = typeof value === 'string' ? Number(value) : value;
  if (typeof number === 'number' && Number.isFinite(number) && number > 0) return Math.ceil(number * 60_000);
  throw new UserError('FRR503', {
    problems: [
      { at: node.at, message: `expected timeout-minutes to be a number above 0, found ${JSON.stringify(node.source)}` },
    ],
    next: 'write minutes, such as 30 or 0.5',
  });
}

/** A switch such as `continue-on-error`: a boolean, or an expression that gives one. */
export async function isTrue(node: YamlScalar | undefined, scope: Scope): Promise<boolean> {
  if (node === undefined) return false;
  const value: Value = await evaluateScalar(node, scope);
  if (typeof value === 'boolean') return value;
  if (value === null || value === '' || value === 'false') return false;
  if (value === 'true') return true;
  throw new UserError('FRR503', {
    problems: [{ at: node.at, message: `expected true or false, found ${JSON.stringify(node.source)}` }],
  });
}

function requireRunsOn({ job }: Task): NonNullable<Task['job']['runsOn']> {
  if (job.runsOn !== undefined && job.call === undefined) return job.runsOn;
  throw new UserError('FRR504', {
    problems: [{ at: job.at, message: `expected a job with steps, found "${job.id}", which calls a workflow` }],
    next: 'leave "runs-on" out of the calling job, so that the instance makes jobs of those of the called workflow',
  });
}
