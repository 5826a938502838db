import type { OpenEnvironment } from '../environment/open-environment.ts';
import type { RunnerFacts } from '../environment/runner-facts.ts';
import type { Masker } from '../log/masker.ts';
import type { ProblemMatchers } from '../log/problem-matchers.ts';
import type { PlannedJob } from '../plan/planned-job.ts';
import type { JobReport } from '../report/job-report.ts';
import type { ActionMemories } from '../steps/action-memory.ts';
import type { NodeProbe } from '../steps/actions/find-node.ts';
import type { ShellProbe } from '../steps/find-shell.ts';
import type { JobSignals } from './job-limits.ts';
import type { JobState } from './job-state.ts';

/** Everything that the steps of one running job work with. */
export interface JobRun {
  readonly planned: PlannedJob;
  readonly place: OpenEnvironment;
  readonly state: JobState;
  readonly signals: JobSignals;
  readonly report: JobReport;
  readonly masker: Masker;
  /** Of the whole job: a step may add one for the steps after it. */
  readonly matchers: ProblemMatchers;
  readonly runner: RunnerFacts;
  readonly shells: ShellProbe;
  readonly nodes: NodeProbe;
  readonly actions: ActionMemories;
  /** File with the payload of the event, inside the environment. */
  readonly eventPath: string;
}
