import { readCallReference } from '../graph/call-reference.ts';
import { type RepositoryWorkflows, WorkflowCalls } from '../graph/called-workflow.ts';
import { callProblems } from '../graph/check-call.ts';
import { type Problem, UserError } from '../user-error.ts';
import type { Workflow } from '../workflow/model.ts';
import { hasExpression, scalarText } from '../workflow/read-shape.ts';

/**
 * What is wrong with the calls of a workflow to others of its own repository: workflows that are not there or not to
 * be called, inputs and secrets that they do not know or miss. Calls to other repositories are not looked at.
 */
export async function checkCalls(
  workflow: Workflow,
  own: RepositoryWorkflows,
  signal: AbortSignal,
): Promise<readonly Problem[]> {
  const calls = new WorkflowCalls({ own });
  const problems: Problem[] = [];
  for (const { call } of workflow.jobs.values()) {
    if (call === undefined || hasExpression(call.uses)) continue;
    const uses = scalarText(call.uses);
    const reference = readCallReference(uses);
    if ('message' in reference || reference.kind !== 'local') continue;
    try {
      const { callable } = await calls.find(uses, call.uses.at, calls.top(workflow), signal);
      problems.push(...callProblems(call, callable));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      problems.push(...error.problems);
    }
  }
  // What stands in the called workflow is told with that file.
  return problems.filter(({ at }) => at?.file === workflow.file);
}
