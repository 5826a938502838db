import { type BackendErrorCode, type ExecResult, isBackendError } from '@forgejo-runner/core';
import type { StepResult } from '../report/job-report.ts';
import { UserError } from '../user-error.ts';

/** How the work of a step ended, before `continue-on-error`. */
export interface StepOutcome {
  readonly outcome: StepResult;
  /** Rows that explain it, without secrets removed: the log masks them. */
  readonly because: readonly string[];
}

/** What a process came to, in the words of a step. */
export function outcomeOfProcess(result: ExecResult): StepOutcome {
  if (result.kind === 'exited') {
    if (result.code === 0) return { outcome: 'success', because: [] };
    const memory = result.oomKilled === true ? ', the environment ran out of memory' : '';
    return {
      outcome: 'failure',
      because: [`Process completed with exit code ${result.code}${exitHint(result.code)}${memory}`],
    };
  }
  if (result.kind === 'signaled') {
    const memory = result.oomKilled === true ? ', the environment ran out of memory' : '';
    return { outcome: 'failure', because: [`Process was ended by ${result.signal}${memory}`] };
  }
  const survivors = result.survivors === 0 ? [] : [`${result.survivors} processes of the step could not be ended`];
  return { outcome: 'cancelled', because: survivors };
}

/** What a thrown error means for a step. Nothing is thrown on: a step that cannot run is a step that failed. */
export function outcomeOfError(error: unknown): StepOutcome {
  if (isBackendError(error)) {
    if (error.code === 'cancelled') return { outcome: 'cancelled', because: [] };
    const hint = error.details.hint === undefined ? [] : [`Next: ${error.details.hint}`];
    const unmet = (error.details.unmet ?? []).map((need) => `Missing: ${need}`);
    return { outcome: 'failure', because: [...error.message.split('\n'), ...unmet, ...blame(error.code), ...hint] };
  }
  if (error instanceof UserError) {
    return {
      outcome: 'failure',
      because: [...error.message.split('\n'), ...(error.next === undefined ? [] : [`Next: ${error.next}`])],
    };
  }
  return { outcome: 'failure', because: [error instanceof Error ? error.message : String(error)] };
}

/** Whose fault it is, where that is not the workflow's. */
function blame(code: BackendErrorCode): readonly string[] {
  if (code === 'lost') return ['The outcome of the step is unknown'];
  return code === 'unavailable' || code === 'timeout' || code === 'capacity'
    ? ["This is a failure of the runner's infrastructure, not of the job"]
    : [];
}

function exitHint(code: number): string {
  if (code === 127) return ' (command not found)';
  return code === 126 ? ' (command cannot be executed)' : '';
}
