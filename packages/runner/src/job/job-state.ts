/** How a job stands, in the words of `job.status`. */
export type JobStatus = 'success' | 'failure' | 'cancelled';

/** What steps leave behind for the steps after them. */
export class JobState {
  /** Variables of the workflow, the job, and of `GITHUB_ENV` since. */
  readonly env: Map<string, string>;
  /** Folders that steps put before the search path, the last one first. */
  readonly path: string[] = [];
  /** Its machine or container is gone: no step can run any more. */
  isEnvironmentLost = false;
  #hasFailed = false;
  readonly #isCancelled: () => boolean;

  constructor(env: ReadonlyMap<string, string>, isCancelled: () => boolean) {
    this.env = new Map(env);
    this.#isCancelled = isCancelled;
  }

  /** A cancelled job stays cancelled, whatever its steps say afterwards. */
  get status(): JobStatus {
    if (this.#isCancelled()) return 'cancelled';
    return this.#hasFailed ? 'failure' : 'success';
  }

  fail(): void {
    this.#hasFailed = true;
  }

  /** Puts a folder first in the search path; one that is there already moves to the front. */
  prependPath(folder: string): void {
    const present = this.path.indexOf(folder);
    if (present >= 0) this.path.splice(present, 1);
    this.path.unshift(folder);
  }
}
