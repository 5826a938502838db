import type { JobPlan } from '@forgejo-runner/core';
import { ExpressionError } from '../expressions/expression-error.ts';
import { interpolate } from '../expressions/interpolate.ts';
import type { Scope } from '../expressions/scope.ts';
import { type Problem, UserError } from '../user-error.ts';
import type { Action, Step } from '../workflow/model.ts';
import type { YamlScalar } from '../workflow/yaml-node.ts';
import type { JobActions } from './job-actions.ts';

/** What the actions of a job make of it. */
export interface PlannedSteps {
  readonly stepContainers: JobPlan['stepContainers'];
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
  await walk.steps(steps, []);
  walk.throwProblems();
  return { stepContainers: walk.stepContainers, pre: walk.pre };
}

const strength: readonly JobPlan['stepContainers'][] = ['none', 'unknown', 'run', 'build'];

class Walk {
  stepContainers: JobPlan['stepContainers'] = 'none';
  readonly pre = new Set<Step>();
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

  /** `chain` names the actions around. */
  async steps(steps: readonly Step[], chain: readonly string[]): Promise<boolean> {
    const have = await Promise.all(steps.map((step) => this.#step(step, chain)));
    return have.includes(true);
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
  async #step(step: Step, chain: readonly string[]): Promise<boolean> {
    if (step.does.kind !== 'uses') return false;
    try {
      const hasPre = await this.#action(step.does.uses, chain);
      if (hasPre) this.pre.add(step);
      return hasPre;
    } catch (error) {
      this.#failures.push(error);
      return false;
    }
  }

  async #action(node: YamlScalar, chain: readonly string[]): Promise<boolean> {
    const uses = await textOf(node, chain.length === 0 ? this.#scope : this.#inner);
    if (uses === undefined || isLocal(uses)) {
      this.#needs('unknown');
      return false;
    }
    if (uses.startsWith('docker://')) {
      this.#needs('run');
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
    return this.#runs(action, [...chain, uses]);
  }

  async #runs({ runs }: Action, chain: readonly string[]): Promise<boolean> {
    if (runs.kind === 'composite') return this.steps(runs.steps, chain);
    if (runs.kind === 'node') return runs.pre !== undefined;
    if (runs.kind !== 'docker') return false;
    this.#needs(runs.image.startsWith('docker://') ? 'run' : 'build');
    return runs.preEntrypoint !== undefined;
  }

  #needs(what: JobPlan['stepContainers']): void {
    if (strength.indexOf(what) > strength.indexOf(this.stepContainers)) this.stepContainers = what;
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
