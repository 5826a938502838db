/** Where a server takes what a job uploads. */
export interface ActionsRuntime {
  readonly url: string;
  readonly resultsUrl: string;
  /** For this job alone; who makes it a part of a job adds it to the job's masks. */
  readonly token: string;
}

/** What jobs may know about the runner that runs them, and what its administrator adds to each. */
export interface RunnerFacts {
  readonly name: string;
  readonly version: string;
  /** Asked for by `ACTIONS_STEP_DEBUG` or `ACTIONS_RUNNER_DEBUG`. */
  readonly debug: boolean;
  /** Of the job that the facts are for, where a server brings it; a local run has none. */
  readonly actionsRuntime?: ActionsRuntime;
  /** Where the job gets identity tokens, where the server lets it. */
  readonly idTokenRequest?: { readonly url: string; readonly token: string };
  /** Where the job that the facts are for finds what the runner opened for it, as variables. */
  readonly services?: ReadonlyMap<string, string>;
  /** `runner.envs` of the configuration: below the workflow's own variables. */
  readonly envs: ReadonlyMap<string, string>;
}
