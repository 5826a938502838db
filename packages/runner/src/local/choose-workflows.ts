import { quoted, UserError } from '../user-error.ts';
import type { Workflow } from '../workflow/model.ts';

/**
 * The workflows that an event starts, or those of them with the one job that was asked for.
 *
 * @throws UserError `FRR305` that lists what there is.
 */
export function chooseWorkflows(
  workflows: readonly Workflow[],
  event: string,
  job: string | undefined,
): readonly Workflow[] {
  const started = workflows.filter((workflow) => workflow.on.some((trigger) => trigger.event === event));
  if (started.length === 0) {
    const events = [...new Set(workflows.flatMap(({ on }) => on.map((trigger) => trigger.event)))].toSorted();
    throw new UserError('FRR305', {
      problems: [
        {
          message: `expected a workflow for the event ${quoted(event)}, found workflows for ${events.join(', ') || 'no event'}`,
        },
      ],
      next: 'name one of these with --event',
    });
  }
  const chosen = job === undefined ? started : started.filter((workflow) => workflow.jobs.has(job));
  if (job === undefined || chosen.length > 0) return chosen;
  const ids = [...new Set(started.flatMap((workflow) => [...workflow.jobs.keys()]))].toSorted();
  throw new UserError('FRR305', {
    problems: [{ message: `expected a job ${quoted(job)}, found ${ids.map(quoted).join(', ')}` }],
    next: 'name one of these with --job',
  });
}
