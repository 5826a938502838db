import { forgejoContexts } from '../contexts/forgejo-context.ts';
import { needsContext } from '../contexts/plain-contexts.ts';
import { interpolate } from '../expressions/interpolate.ts';
import type { Value, ValueMap } from '../expressions/values.ts';
import { callInputs, scopeAt } from '../graph/call-inputs.ts';
import { callSecrets } from '../graph/call-secrets.ts';
import { type CallLevel, refused, type WorkflowCalls } from '../graph/called-workflow.ts';
import { type JobOutputs, jobOutputs } from '../job/job-outputs.ts';
import type { Masker } from '../log/masker.ts';
import { jobScope } from '../plan/plan-job.ts';
import type { NeededJob, Task } from '../task/task.ts';
import type { Problem } from '../user-error.ts';
import { shownProblems } from '../workflow/read-shape.ts';
import type { Job, Notice, Workflow, WorkflowCall } from '../workflow/model.ts';

/** What a call needs of the run around it. */
export interface CallSettings {
  readonly calls: WorkflowCalls;
  readonly level: CallLevel;
  readonly masker: Masker;
}

/** A workflow that is called, with all that its jobs are to see. */
export interface OpenCall {
  /** Its notices say also what was remarked on the call: the jobs of it have the log for that. */
  readonly workflow: Workflow;
  readonly inputs: ValueMap;
  readonly secrets: ReadonlyMap<string, string>;
  readonly level: CallLevel;
  /** What the called workflow hands to its caller, once its jobs ended. */
  readonly outputs: (jobs: ReadonlyMap<string, NeededJob>) => Promise<JobOutputs>;
}

/**
 * Finds the workflow that an instance of a job calls, and evaluates what it passes.
 *
 * @throws UserError `FRR504` with all that does not fit; ExpressionError for an expression that is wrong.
 */
export async function openCall(
  task: Task,
  call: WorkflowCall,
  settings: CallSettings,
  signal: AbortSignal,
): Promise<OpenCall> {
  const scope = jobScope(task);
  const { at } = call.uses;
  const uses = await interpolate(call.uses, scopeAt('job.uses', scope));
  const { workflow, callable, level } = await settings.calls.find(uses, at, settings.level, signal);
  const problems: Problem[] = [];
  const inputs = await callInputs({ at, with: call.with, declared: callable.inputs }, scope, problems);
  const passed = { at, given: call.secrets, declared: callable.secrets, own: task.secrets };
  const { secrets, notices } = await callSecrets(passed, scope, problems);
  if (problems.length > 0) throw refused(shownProblems(problems));
  maskNew(secrets, task.secrets, settings.masker);
  return {
    workflow: { ...workflow, notices: noticesOf(task, [...workflow.notices, ...notices]) },
    inputs,
    secrets,
    level,
    outputs: (jobs) => {
      const contexts = new Map<string, Value>([
        ...forgejoContexts(task.github, {}),
        ['jobs', needsContext(jobs)],
        ['inputs', inputs],
        ['vars', task.vars],
      ]);
      const values = new Map([...callable.outputs].map(([name, { value }]) => [name, value]));
      const hasSecret = (text: string): boolean => settings.masker.mask(text) !== text;
      return jobOutputs({ outputs: values }, { contexts, functions: new Map() }, hasSecret);
    },
  };
}

/** What a call makes of secrets, or passes as one, is as secret as they are. */
function maskNew(secrets: ReadonlyMap<string, string>, known: ReadonlyMap<string, string>, masker: Masker): void {
  const values = new Set(known.values());
  for (const value of secrets.values()) if (value !== '' && !values.has(value)) masker.add(value);
}

/** Those of the caller first. A workflow that is called by another one has them of all callers. */
function noticesOf({ workflow, job }: Task, own: readonly Notice[]): readonly Notice[] {
  return [...new Set([...workflow.notices, ...job.notices, ...idleRunsOn(job), ...own])];
}

/** Forgejo takes `runs-on` of a call for where all of its jobs run. */
function idleRunsOn({ runsOn }: Job): readonly Notice[] {
  if (runsOn === undefined) return [];
  return [
    { at: runsOn.at, message: '"runs-on" of a job that calls a workflow changes nothing: each job of it has its own' },
  ];
}
