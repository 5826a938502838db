import type { ScopeFunction } from '../expressions/scope.ts';
import type { JobResult } from '../report/job-report.ts';

/** How things stand where a condition is evaluated. `skipped` only before a job: a job that it needs was skipped. */
export type Status = 'success' | 'failure' | 'cancelled' | 'skipped';

/** `success()`, `failure()`, `cancelled()` and `always()` for a given status. */
export function statusFunctions(status: Status): ReadonlyMap<string, ScopeFunction> {
  return new Map([
    ['success', when(status === 'success')],
    ['failure', when(status === 'failure')],
    ['cancelled', when(status === 'cancelled')],
    ['always', when(true)],
  ]);
}

function when(isTrue: boolean): ScopeFunction {
  return { minArguments: 0, maxArguments: 0, call: () => isTrue };
}

/**
 * The status that the jobs before a job give it. A job that was skipped stops those that need it, as a failed one
 * does, but is no failure.
 */
export function statusOfNeeds(results: readonly JobResult[]): Status {
  if (results.includes('failure')) return 'failure';
  if (results.includes('cancelled')) return 'cancelled';
  if (results.includes('skipped')) return 'skipped';
  return 'success';
}
