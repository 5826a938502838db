import { type Problem, UserError } from '../user-error.ts';
import type { Step } from '../workflow/model.ts';

/**
 * Refuses steps whose action this version cannot run, before anything starts. Local actions are read when their step
 * comes: the checkout may bring them.
 *
 * @throws UserError `FRR602` with every such step.
 */
export function refuseUnknownActions(steps: readonly Step[]): void {
  const problems: Problem[] = [];
  for (const step of steps) {
    if (step.does.kind !== 'uses') continue;
    const uses = String(step.does.uses.value);
    if (uses.startsWith('./') || uses.startsWith('docker://')) continue;
    problems.push({
      at: step.does.uses.at,
      message: `step ${step.index + 1} uses ${JSON.stringify(uses)}: this version of the runner runs local actions (./path) only`,
    });
  }
  if (problems.length > 0) throw new UserError('FRR602', { problems, next: 'use a local action, or a run step' });
}
