export {
  type CheckId,
  type ConformanceEndpoint,
  type ConformanceImages,
  type ConformanceOptions,
  type ConformancePeer,
  type ConformancePlugin,
  type ConformanceRunner,
  defineConformance,
  type Lane,
} from './conformance/options.ts';
export { type RunOptions, runConformance } from './conformance/run-conformance.ts';
export {
  type CheckResult,
  checkLine,
  suiteVersion,
  type Verdict,
  verdictTable,
  verdictText,
} from './conformance/verdict.ts';
export { type Capture, captureOutput } from './capture.ts';
export { callContext, type LogEntry, type TestContext } from './call-context.ts';
export { eventually, type EventuallyOptions } from './eventually.ts';
export { openTempFolder, type TempFolder } from './temp-folder.ts';
export { loadWorkflowCases, type WorkflowCase } from './workflow-cases.ts';
export {
  type ExpectedJob,
  type ExpectedLine,
  type ExpectedResult,
  type ExpectedRun,
  type ExpectedStep,
  parseExpectation,
  type WorkflowExpectation,
} from './workflow-expectation.ts';
export { checkWorkflowRun, type ObservedJob, type ObservedRun, type ObservedStep } from './check-workflow-run.ts';
export { type CaseRunner, runWorkflowCase } from './run-workflow-case.ts';
export { type Finished, type Running, runProgram, startProgram, type Surroundings } from './run-program.ts';
export { type LocalRegistry, type LocalRegistryOptions, startLocalRegistry } from './local-registry.ts';
export {
  type RecordedCall,
  type ReferenceBackend,
  referenceBackend,
  referenceCapabilities,
  type ReferenceOptions,
} from './reference-backend.ts';
export type { FaultCode, MissingMethod, ReferenceFaults } from './reference-faults.ts';
export { type GitRequest, type GitServer, type GitServerOptions, startGitServer } from './git-server.ts';
export { type DrivenClock, heldClock, type ServerClock, shiftedClock } from './server-clock.ts';
export { type FakeForgejo, type FakeForgejoOptions, startFakeForgejo } from './fake-forgejo/server.ts';
export type { FakeJob, WaitOptions } from './fake-forgejo/fake-job.ts';
export type { ServerTimers } from './fake-forgejo/job-board.ts';
export type {
  JobStatus,
  SentState,
  SentStep,
  StoredStep,
  TaskResult,
  TimelineEvent,
} from './fake-forgejo/known-task.ts';
export type { RecordedRequest, RequestRecord } from './fake-forgejo/record.ts';
export type { KnownRunner, NewRunner, RunnerScope } from './fake-forgejo/runner-book.ts';
export {
  type Fault,
  type FaultQuestion,
  type FaultRule,
  type Procedure,
  type Scenario,
  webPage,
} from './fake-forgejo/scenario.ts';
export type { ServerFeatures, ServerVersion } from './fake-forgejo/server-features.ts';
export type { JobSpec } from './fake-forgejo/task-builder.ts';
export type { LogOutcome, StoredRow } from './fake-forgejo/task-log.ts';
export { checkReport, type ReportExpectation } from './fake-forgejo/check-report.ts';
