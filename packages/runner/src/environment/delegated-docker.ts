import {
  BackendError,
  type CallContext,
  type ContainerSpec,
  type DelegatedContainers,
  type DockerDriver,
  type DockerEndpointDescriptor,
  type ExecutionEnvironment,
  type JobPlan,
  type RemoveReport,
} from '@forgejo-runner/core';
import { isPath } from '../plan/option-values.ts';
import { answerOf } from './answer-of.ts';
import type { CreatedEnvironment } from './create-environment.ts';
import { type FileOwner, handBackFiles, ordinaryUser } from './hand-back-files.ts';
import type { Removable } from './remove-all.ts';

/** Makes the containers of a job: an environment with native ones, or the Docker driver at the endpoint of one. */
export type ContainerMaker = Pick<
  ExecutionEnvironment,
  'createJobContainer' | 'createServiceContainer' | 'createStepContainer' | 'buildImage'
>;

/** The containers of one job at an endpoint, and how they go again. */
export type DelegatedMaker = Required<ContainerMaker> & Removable;

/**
 * Has the driver make the containers of a job at the endpoint that its environment hands out. The endpoint is asked for
 * with the first container, so that a job that needs none runs without an engine.
 */
export function delegateContainers(
  driver: DockerDriver,
  created: CreatedEnvironment,
  user: FileOwner | undefined = ordinaryUser(),
): DelegatedMaker {
  const delegation = new Delegation(driver, created, user);
  return {
    id: `containers of ${created.environment.name}`,
    createJobContainer: async (spec, ctx) => (await delegation.openFor(spec, ctx)).createJobContainer(spec, ctx),
    createServiceContainer: async (spec, ctx) =>
      (await delegation.openFor(spec, ctx)).createServiceContainer(spec, ctx),
    createStepContainer: async (spec, ctx) => (await delegation.openFor(spec, ctx)).createStepContainer(spec, ctx),
    buildImage: async (request, ctx) => (await delegation.open(ctx)).buildImage(request, ctx),
    remove: (ctx) => delegation.remove(ctx),
  };
}

class Delegation {
  readonly #driver: DockerDriver;
  readonly #created: CreatedEnvironment;
  readonly #user: FileOwner | undefined;
  readonly #images = new Set<string>();
  #opening: Promise<DelegatedContainers> | undefined;

  constructor(driver: DockerDriver, created: CreatedEnvironment, user: FileOwner | undefined) {
    this.#driver = driver;
    this.#created = created;
    this.#user = user;
  }

  async openFor({ image }: Pick<ContainerSpec, 'image'>, ctx: CallContext): Promise<DelegatedContainers> {
    this.#images.add(image);
    return this.open(ctx);
  }

  /** Services start at the same time, and share what the first of them opens. */
  async open(ctx: CallContext): Promise<DelegatedContainers> {
    const opening = (this.#opening ??= this.#open(ctx));
    try {
      return await opening;
    } catch (error) {
      // A later step may find the engine back.
      if (this.#opening === opening) this.#opening = undefined;
      throw error;
    }
  }

  async remove(ctx: CallContext): Promise<RemoveReport> {
    const containers = await this.#opening?.catch(() => undefined);
    if (containers === undefined) return { removed: [], leaked: [] };
    const { environment } = this.#created;
    const sharedPath = environment.target?.sharedPath;
    try {
      if (this.#user !== undefined && sharedPath !== undefined) {
        await handBackFiles(containers, { info: environment.info, sharedPath, images: this.#images }, this.#user, ctx);
      }
      return await containers.remove(ctx);
    } finally {
      await containers[Symbol.asyncDispose]();
    }
  }

  async #open(ctx: CallContext): Promise<DelegatedContainers> {
    const { environment, request } = this.#created;
    const endpoint = await environment.dockerEndpoint?.(ctx);
    if (endpoint === undefined) throw new Error('the environment lost its endpoint');
    checkBinds(endpoint, request.plan);
    return answerOf(
      this.#driver.open({ endpoint, environment: request, info: environment.info }, ctx),
      ctx.signal,
      // Nothing was made there yet.
      (late) => void late[Symbol.asyncDispose]().then(undefined, () => {}),
    );
  }
}

/**
 * Only now it is known whether the engine sees the paths of the machine.
 *
 * @throws BackendError `unsupported`.
 */
function checkBinds({ binds }: DockerEndpointDescriptor, { jobContainer, services }: JobPlan): void {
  if (binds === 'target-paths') return;
  const specs = [...(jobContainer === undefined ? [] : [jobContainer]), ...services];
  const paths = specs.flatMap(({ mounts }) => mounts.map(({ source }) => source).filter(isPath));
  if (paths.length === 0) return;
  throw new BackendError('unsupported', `the engine of this label mounts no paths, found ${paths.join(', ')}`, {
    unmet: ['volumes'],
    hint: 'use named volumes, or another label',
  });
}
