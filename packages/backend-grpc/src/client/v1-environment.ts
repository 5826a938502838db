import {
  BackendError,
  type BuildRequest,
  type CallContext,
  type Capabilities,
  type Container,
  type DockerEndpointDescriptor,
  type EnvironmentInfo,
  type ExecutionEnvironment,
  type Liveness,
  type Owner,
  type RemoveReport,
  type ServiceContainer,
  type StepContainer,
  type Target,
} from '@forgejo-runner/core';
import type { Ready } from '../gen/forgejo/runner/backend/v1/backend_pb.ts';
import { endpointFromWire, infoFromWire } from '../environment-messages.ts';
import type { Connection } from './connection.ts';
import { buildRemoteImage, createRemoteContainer, remoteJob, remoteService, remoteStep } from './v1-containers.ts';
import { removeRemote, stateOf } from './remote-calls.ts';
import { remoteTarget, type TargetParts } from './v1-target.ts';

/** What an environment on the other side is made of here. */
export interface RemoteParts {
  readonly connection: Connection;
  readonly id: string;
  readonly name: string;
  readonly owner: Owner;
  readonly capabilities: Capabilities;
  readonly ready: Ready;
  readonly onRemoved: () => void;
}

/** The environment of a job on the other side. */
export class RemoteEnvironment implements ExecutionEnvironment {
  readonly id: string;
  readonly name: string;
  readonly info: EnvironmentInfo;
  readonly target?: Target;
  readonly createJobContainer?: NonNullable<ExecutionEnvironment['createJobContainer']>;
  readonly createServiceContainer?: NonNullable<ExecutionEnvironment['createServiceContainer']>;
  readonly createStepContainer?: NonNullable<ExecutionEnvironment['createStepContainer']>;
  readonly buildImage?: NonNullable<ExecutionEnvironment['buildImage']>;
  readonly dockerEndpoint?: () => Promise<DockerEndpointDescriptor>;
  readonly #parts: RemoteParts;
  #lost: string | undefined;
  #isRemoved = false;

  /** @throws BackendError `internal` where what the server tells cannot be. */
  constructor(parts: RemoteParts) {
    const { connection, capabilities, ready, id } = parts;
    this.#parts = parts;
    this.id = id;
    this.name = parts.name;
    this.info = infoFromWire(ready.info, connection.name);
    if (ready.hasTarget) this.target = remoteTarget(this.#targetParts('', ready.baseEnv));
    const { containers } = capabilities;
    if (containers.via === 'native') {
      if (containers.job) this.createJobContainer = (spec, ctx) => this.#job(spec, ctx);
      if (containers.services) this.createServiceContainer = (spec, ctx) => this.#service(spec, ctx);
      if (containers.steps) this.createStepContainer = (spec, ctx) => this.#step(spec, ctx);
      if (containers.build) this.buildImage = (request, ctx) => this.#build(request, ctx);
    }
    if (containers.via !== 'docker-endpoint') return;
    if (ready.dockerEndpoint === undefined) {
      throw new BackendError('internal', `${connection.name} promised an engine and handed out none`);
    }
    const endpoint = endpointFromWire(ready.dockerEndpoint, connection.name);
    this.dockerEndpoint = async () => endpoint;
  }

  readonly state = async (ctx: CallContext): Promise<Liveness> => {
    if (this.#lost !== undefined) return { alive: false, reason: 'unknown', detail: this.#lost };
    const { connection } = this.#parts;
    return stateOf(connection, { environment: this.id, container: '' }, ctx);
  };

  readonly remove = async (ctx: CallContext): Promise<RemoveReport> => {
    const report = await this.#remove();
    for (const resource of report.removed) {
      ctx.emit({ type: 'resource.removed', at: Date.now(), environment: this.name, attributes: { resource } });
    }
    return report;
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#remove();
  }

  /** The server does not know it any more. */
  readonly markLost = (why: string): void => {
    this.#lost ??= why;
  };

  async #remove(): Promise<RemoveReport> {
    if (this.#isRemoved) return { removed: [], leaked: [] };
    const { connection, owner, onRemoved } = this.#parts;
    const report = await removeRemote(connection, { environment: this.id, container: '' }, owner);
    if (report.leaked.length > 0) return report;
    this.#isRemoved = true;
    this.markLost(`environment "${this.name}" was removed`);
    onRemoved();
    return report;
  }

  #targetParts(container: string, baseEnv: TargetParts['baseEnv']): TargetParts {
    const { connection, capabilities } = this.#parts;
    return { connection, environment: this.id, container, baseEnv, capabilities, lost: () => this.#lost };
  }

  async #job(
    spec: Parameters<NonNullable<ExecutionEnvironment['createJobContainer']>>[0],
    ctx: CallContext,
  ): Promise<Container> {
    const made = await createRemoteContainer(this.#targetParts('', {}), spec, ctx);
    return remoteJob(this.#targetParts(made.container, made.baseEnv), made, this.#parts.owner);
  }

  async #service(
    spec: Parameters<NonNullable<ExecutionEnvironment['createServiceContainer']>>[0],
    ctx: CallContext,
  ): Promise<ServiceContainer> {
    const made = await createRemoteContainer(this.#targetParts('', {}), spec, ctx);
    return remoteService(this.#targetParts(made.container, {}), made, this.#parts.owner);
  }

  async #step(
    spec: Parameters<NonNullable<ExecutionEnvironment['createStepContainer']>>[0],
    ctx: CallContext,
  ): Promise<StepContainer> {
    const made = await createRemoteContainer(this.#targetParts('', {}), spec, ctx);
    return remoteStep(this.#targetParts(made.container, {}), made, this.#parts.owner);
  }

  #build(request: BuildRequest, ctx: CallContext): Promise<{ readonly image: string }> {
    return buildRemoteImage(this.#targetParts('', {}), request, ctx);
  }
}
