import type { Job, Step, Workflow } from '../workflow/model.ts';

/** The action by its name, whatever instance it comes from. */
const checkout = /(?:^|\/)actions\/checkout@[^/]+$/;

/**
 * The workflow with its checkouts done: a local run copies the folder that it works in, changes and all, where an
 * instance would hand out a commit. A checkout of another repository or into another folder stays what it is.
 */
export function provideCheckout(workflow: Workflow): Workflow {
  const jobs = new Map(
    [...workflow.jobs].map(([id, job]): [string, Job] => [id, { ...job, steps: job.steps.map(provided) }]),
  );
  return { ...workflow, jobs };
}

function provided(step: Step): Step {
  if (step.does.kind !== 'uses') return step;
  const uses = String(step.does.uses.value);
  if (!checkout.test(uses) || fetchesElsewhere(step)) return step;
  const because = 'The working folder was copied into the workspace; --no-skip-checkout runs the action instead';
  return { ...step, does: { kind: 'provided', name: `Run ${uses}`, because } };
}

function fetchesElsewhere(step: Step): boolean {
  if (step.does.kind !== 'uses' || step.does.with?.kind !== 'mapping') return false;
  return step.does.with.entries.some(({ key }) => key === 'repository' || key === 'path');
}
