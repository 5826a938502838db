import type { CallContext } from './call-context.ts';
import type { ContainerField } from './capabilities.ts';
import type { BuildRequest, Container, ServiceContainer, StepContainer } from './containers.ts';
import type { DockerEndpointDescriptor } from './docker-endpoint.ts';
import type { EnvironmentInfo, EnvironmentRequest } from './environment.ts';
import type { PruneReport, PruneRequest, RemoveReport, SweepReport, SweepRequest } from './ownership.ts';
import type { JobContainerSpec, ServiceContainerSpec, StepContainerSpec } from './plan.ts';

/** What a job's containers at a delegated endpoint are made for. */
export interface DelegationRequest {
  readonly endpoint: DockerEndpointDescriptor;
  /** The environment that handed the endpoint out. Its name, owner and expiry go onto every object made there. */
  readonly environment: EnvironmentRequest;
  /** The machine behind that environment: containers find its workspace, temp and runner folders at the same paths. */
  readonly info: EnvironmentInfo;
}

/**
 * The containers of one job at an endpoint that its environment handed out. The methods mean what those of
 * {@link ExecutionEnvironment} mean; all of them exist.
 */
export interface DelegatedContainers extends AsyncDisposable {
  readonly createJobContainer: (spec: JobContainerSpec, ctx: CallContext) => Promise<Container>;
  readonly createServiceContainer: (spec: ServiceContainerSpec, ctx: CallContext) => Promise<ServiceContainer>;
  readonly createStepContainer: (spec: StepContainerSpec, ctx: CallContext) => Promise<StepContainer>;
  readonly buildImage: (request: BuildRequest, ctx: CallContext) => Promise<{ readonly image: string }>;
  /** Removes every container, network, volume and image made for the job. Idempotent; what stays is reported. */
  readonly remove: (ctx: CallContext) => Promise<RemoveReport>;
}

/**
 * Makes containers for environments whose capability is `via: 'docker-endpoint'`. There is at most one in a runner; the
 * package that has it registers it at import in {@link dockerDrivers}.
 */
export interface DockerDriver {
  readonly api: 1;
  /** The fields of a container's specification that it honours. A job that uses another one is refused. */
  readonly fields: readonly ContainerField[];
  /**
   * Connects to the endpoint of one environment. Nothing is made there yet.
   *
   * @throws BackendError `unavailable` when it does not answer, `unsupported` when it is too old.
   */
  readonly open: (request: DelegationRequest, ctx: CallContext) => Promise<DelegatedContainers>;
  /** Removes what earlier processes of this runner left at an endpoint that outlives environments. */
  readonly sweep: (endpoint: DockerEndpointDescriptor, request: SweepRequest, ctx: CallContext) => Promise<SweepReport>;
  /** Removes images that it built for this runner at such an endpoint and that were not used lately. */
  readonly prune?: (
    endpoint: DockerEndpointDescriptor,
    request: PruneRequest,
    ctx: CallContext,
  ) => Promise<PruneReport>;
}
