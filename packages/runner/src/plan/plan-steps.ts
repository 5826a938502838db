import type { JobPlan } from '@forgejo-runner/core';
import { ExpressionError } from '../expressions/expression-error.ts';
import { interpolate } from '../expressions/interpolate.ts';
import type { Scope } from '../expressions/scope.ts';
import { type Problem, UserError } from '../user-error.ts';
import type { Action, Step } from '../workflow/model.ts';
import type { YamlScalar } from '../workflow/yaml-node.ts';
import type { JobActions } from './job-actions.ts';

/** A step that runs in a container of its own, or has an action that does. */
export interface StepContainerUse {
  /** Of the job's steps, from 1, as people count them. */
  readonly step: number;
  /** What the step uses, and after it what that uses in turn. */
  readonly uses: readonly string[];
  readonly needs: 'run' | 'build';
}

/** What the actions of a job make of it. */
export interface PlannedSteps {
  readonly stepContainers: JobPlan['stepContainers'];
  /** Those that are known before the job starts, in the order of the steps. */
  readonly containerUses: readonly StepContainerUse[];
  /** Steps, of the job and of its actions, that do something before the first step. */
  readonly pre: ReadonlySet<Step>;
}

/** As many levels of actions in actions as GitHub allows. */
export const maxActionDepth = 10;

/**
 * Has the remote actions of a job fetched, those inside of actions as well, so that what they need is known before
 * anything starts. Local actions are read when their step comes: the checkout may bring them.
 *
 * @throws UserError `FRR602` with every action that cannot be used.
 */
export async function planSteps(
  steps: readonly Step[],
  scope: Scope,
  actions: JobActions,
  signal: AbortSignal,
): Promise<PlannedSteps> {
  const walk = new Walk(scope, actions, signal);
  await Promise.all(steps.map((step) => walk.step(step, { step: step.index + 1, uses: [] })));
  walk.throwProblems();
  return { stepContainers: walk.stepContainers(), containerUses: walk.containerUses(), pre: walk.pre };
}

/** Where an action is used: in which step of the job, and inside of which actions. */
type Around = Pick<StepContainerUse, 'step' | 'uses'>;

class Walk {
  readonly pre = new Set<Step>();
  readonly #containerUses: StepContainerUse[] = [];
  #hasUnknown = false;
  readonly #scope: Scope;
  /** What an action sees: neither secrets, nor the inputs of anybody else. */
  readonly #inner: Scope;
  readonly #actions: JobActions;
  readonly #signal: AbortSignal;
  readonly #failures: unknown[] = [];

  constructor(scope: Scope, actions: JobActions, signal: AbortSignal) {
    this.#scope = scope;
    const contexts = [...scope.contexts].filter(([name]) => name !== 'secrets' && name !== 'inputs');
    this.#inner = { ...scope, contexts: new Map(contexts) };
    this.#actions = actions;
    this.#signal = signal;
  }

  /** What is looked up at the same time is found in any order. */
  containerUses(): readonly StepContainerUse[] {
    return this.#containerUses.toSorted((a, b) => a.step - b.step || (a.uses.join() < b.uses.join() ? -1 : 1));
  }

  stepContainers(): JobPlan['stepContainers'] {
    if (this.#containerUses.some(({ needs }) => needs === 'build')) return 'build';
    if (this.#containerUses.length > 0) return 'run';
    return this.#hasUnknown ? 'unknown' : 'none';
  }

  throwProblems(): void {
    const [first] = this.#failures;
    if (this.#failures.length === 0) return;
    const users = this.#failures.filter((failure) => failure instanceof UserError && failure.code === 'FRR602');
    if (users.length < this.#failures.length || users.length === 1) throw first;
    const problems = users.flatMap((error): readonly Problem[] => (error as UserError).problems);
    const next = (first as UserError).next;
    throw new UserError('FRR602', { problems, ...(next === undefined ? {} : { next }) });
  }

  /** Whether the step does something before the first step of the job. */
  async step(step: Step, around: Around): Promise<boolean> {
    if (step.does.kind !== 'uses') return false;
    try {
      const hasPre = await this.#action(step.does.uses, around);
      if (hasPre) this.pre.add(step);
      return hasPre;
    } catch (error) {
      this.#failures.push(error);
      return false;
    }
  }

  async #action(node: YamlScalar, { step, uses: chain }: Around): Promise<boolean> {
    const uses = await textOf(node, chain.length === 0 ? this.#scope : this.#inner);
    if (uses === undefined || isLocal(uses)) {
      this.#hasUnknown = true;
      return false;
    }
    if (uses.startsWith('docker://')) {
      this.#containerUses.push({ step, uses: [...chain, uses], needs: 'run' });
      return false;
    }
    if (chain.includes(uses) || chain.length >= maxActionDepth) {
      const message = chain.includes(uses)
        ? `expected actions that do not use themselves, found ${[...chain, uses].map((name) => JSON.stringify(name)).join(' using ')}`
        : `expected at most ${maxActionDepth} actions inside of each other, found more`;
      throw new UserError('FRR602', {
        problems: [{ at: node.at, message }],
        next: 'look for an action that uses itself',
      });
    }
    const { action } = await this.#actions.find(uses, node.at, this.#signal);
    return this.#runs(action, { step, uses: [...chain, uses] });
  }

  async #runs({ runs }: Action, around: Around): Promise<boolean> {
    if (runs.kind === 'composite') {
      const have = await Promise.all(runs.steps.map((step) => this.step(step, around)));
      return have.includes(true);
    }
    if (runs.kind === 'node') return runs.pre !== undefined;
    if (runs.kind !== 'docker') return false;
    this.#containerUses.push({ ...around, needs: runs.image.startsWith('docker://') ? 'run' : 'build' });
    return runs.preEntrypoint !== undefined;
  }
}

/** What a step uses may be known only when it runs. */
async function textOf(node: YamlScalar, scope: Scope): Promise<string | undefined> {
  try {
    return await interpolate(node, scope);
  } catch (error) {
    if (error instanceof ExpressionError) return undefined;
    throw error;
  }
}

/** An action in the workspace of the job. */
function isLocal(uses: string): boolean {
  return uses === '.' || uses.startsWith('./');
}
