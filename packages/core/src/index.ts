import './platform-types.ts';

export { apiMajor, apiVersion } from './api-version.ts';
export { type BackendDefinition, defineBackend, type TypedBackend } from './define-backend.ts';
export type { BackendFactory, BackendServer, FactoryInput, ServeRequest } from './factory.ts';
export type { Backend, BackendHealth, BackendId, BackendRegistry } from './backend.ts';
export type { CallContext, BackendEvent, Logger, OutputSink } from './call-context.ts';
export type { Capabilities, ContainerField, ContainerSupport } from './capabilities.ts';
export type {
  EnvironmentInfo,
  EnvironmentRequest,
  ExecutionEnvironment,
  Liveness,
  RunnerArch,
  RunnerOs,
} from './environment.ts';
export type { Target } from './target.ts';
export {
  defaultStop,
  type ExecHandle,
  type ExecIo,
  type ExecRequest,
  type ExecResult,
  type Signal,
  type StopStage,
} from './exec.ts';
export type { CopyInRequest, CopyOutRequest } from './files.ts';
export type { BuildRequest, Container, ServiceContainer, StepContainer } from './containers.ts';
export type { DelegatedContainers, DelegationRequest, DockerDriver } from './docker-driver.ts';
export type { DockerEndpointDescriptor } from './docker-endpoint.ts';
export type {
  ContainerSpec,
  Healthcheck,
  JobContainerSpec,
  JobPlan,
  Mount,
  Port,
  RegistryCredentials,
  ServiceContainerSpec,
  StepContainerSpec,
} from './plan.ts';
export {
  formatLabel,
  type LabelConfiguration,
  type LabelPlace,
  parseLabel,
  type ResolvedLabel,
} from './label.ts';
export { type ContainerNeeds, type StepNeed, unmet, usedFields } from './unmet.ts';
export type {
  Owner,
  PruneReport,
  PruneRequest,
  RecoverRequest,
  RemoveReport,
  SweepReport,
  SweepRequest,
} from './ownership.ts';
export { BackendError, type BackendErrorCode, type BackendErrorInit, isBackendError } from './errors.ts';
export {
  attributeRegistrationsTo,
  type FactoryRegistry,
  factories,
  type Origin,
  type Registration,
  type DockerDriverRegistration,
  type DockerDriverRegistry,
  dockerDrivers,
} from './registry.ts';
export type { Env, Str } from './open-union.ts';
export type { JsonSchemaOptions, SchemaIssue, SchemaResult, StandardSchemaV1 } from './standard-schema.ts';
