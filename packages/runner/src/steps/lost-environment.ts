import { isBackendError } from '@forgejo-runner/core';
import { messageOf } from '../environment/backend-errors.ts';
import type { JobRun } from '../job/job-run.ts';
import { outcomeOfError, type StepOutcome } from './step-result.ts';

const askMs = 30_000;

/**
 * What a thrown error means for a step. Where the outcome of a process was lost, the environment is asked whether it is
 * still there: if not, no later step can run, not even one with `always()`.
 */
export async function outcomeOfFailure(error: unknown, job: JobRun): Promise<StepOutcome> {
  const ended = outcomeOfError(error);
  if (!isBackendError(error) || error.code !== 'lost') return ended;
  const gone = await whyGone(job);
  if (gone === undefined) return ended;
  job.state.isEnvironmentLost = true;
  return { ...ended, because: [...ended.because, `The environment is gone (${gone}); later steps cannot run`] };
}

async function whyGone(job: JobRun): Promise<string | undefined> {
  using ctx = job.place.call(job.signals.grace, askMs);
  try {
    const { environment, container } = job.place;
    // A job container may be gone while the machine around it is well.
    for (const place of container === undefined ? [environment] : [container, environment]) {
      const { alive, reason, detail } = await place.state(ctx);
      if (!alive) return detail ?? reason ?? 'unknown';
    }
    return undefined;
  } catch (error) {
    // Who does not answer may still be there: the next step will tell.
    return isBackendError(error) && error.code === 'not_found' ? messageOf(error) : undefined;
  }
}
