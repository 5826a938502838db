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
