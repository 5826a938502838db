import type { Backend, ContainerSupport, JobPlan, LabelConfiguration, ResolvedLabel } from '@forgejo-runner/core';
import type { Value } from '../expressions/values.ts';
import type { Task } from '../task/task.ts';
import type { Notice, Step } from '../workflow/model.ts';
import type { ContainerPolicy } from './admin-policy.ts';
import type { JobActions } from './job-actions.ts';

/** A label of this runner with the backend that serves it and what that backend made of it. */
export interface ServedLabel {
  readonly configuration: LabelConfiguration;
  readonly backend: Backend;
  readonly resolved: ResolvedLabel;
}

/** The labels of this runner. `exec` may serve any name with one image, so it need not be a list. */
export interface LabelLookup {
  readonly get: (name: string) => ServedLabel | undefined;
  readonly names: () => readonly string[];
}

/** Everything about a job that is decided before a backend is called. */
export interface PlannedJob {
  readonly task: Task;
  /** Name for people, with the matrix combination. */
  readonly name: string;
  readonly label: ServedLabel;
  readonly containers: JobPlan;
  /** What containers there are on the label, the Docker driver's counted in. */
  readonly containerSupport: ContainerSupport;
  /** What the administrator says about containers, for those that steps make. */
  readonly policy: ContainerPolicy;
  readonly steps: readonly Step[];
  /** Steps, of the job and of its actions, that do something before the first step. */
  readonly pre: ReadonlySet<Step>;
  readonly actions: JobActions;
  /** Variables of the workflow and the job, evaluated, in that order of precedence. */
  readonly env: ReadonlyMap<string, string>;
  /** Contexts that stay the same for every expression of the job. */
  readonly contexts: ReadonlyMap<string, Value>;
  readonly timeoutMs: number;
  readonly continueOnError: boolean;
  readonly notices: readonly Notice[];
}

/** What planning a job came to: it runs, or its `if` said no. */
export type PlanResult =
  | { readonly kind: 'run'; readonly job: PlannedJob }
  | { readonly kind: 'skip'; readonly because: string };
