import type { PlannedJob } from '../plan/planned-job.ts';
import type { OpenEnvironment } from './open-environment.ts';

/** What one job reaches beyond its environment, for as long as it runs. Disposing it closes the way. */
export interface JobServices extends AsyncDisposable {
  /** How the job finds them. */
  readonly variables: ReadonlyMap<string, string>;
  /** Hidden in the log. */
  readonly secrets: readonly string[];
  /** What the reader of the log should know: what is missing, and why. */
  readonly notices: readonly string[];
}

/** Opens cache, artifacts and identity tokens for a job, once its place is there. */
export type OpenJobServices = (
  planned: PlannedJob,
  place: OpenEnvironment,
  signal: AbortSignal,
) => Promise<JobServices>;
