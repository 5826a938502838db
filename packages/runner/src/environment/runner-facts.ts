/** What jobs may know about the runner that runs them, and what its administrator adds to each. */
export interface RunnerFacts {
  readonly name: string;
  readonly version: string;
  /** Asked for by `ACTIONS_STEP_DEBUG` or `ACTIONS_RUNNER_DEBUG`. */
  readonly debug: boolean;
  /** `runner.envs` of the configuration: below the workflow's own variables. */
  readonly envs: ReadonlyMap<string, string>;
}
