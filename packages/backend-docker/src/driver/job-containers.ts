import {
  BackendError,
  type BuildRequest,
  type CallContext,
  type Container,
  type ContainerSpec,
  type DelegatedContainers,
  type EnvironmentRequest,
  type JobContainerSpec,
  type RemoveReport,
  type ServiceContainer,
  type ServiceContainerSpec,
  type StepContainer,
  type StepContainerSpec,
} from '@forgejo-runner/core';
import { cleanUpContext, emitRemoved, removalContext } from './container-removal.ts';
import type { DockerEndpoint } from './endpoint.ts';
import type { ImageSource } from './image-source.ts';
import type { ProvidedImage } from './images.ts';
import { openJobContainer } from './job-container.ts';
import type { JobFolders, JobPlace, JobSettings } from './job-place.ts';
import { openNetwork } from './networks.ts';
import { listOwnedObjects } from './owned-objects.ts';
import { removeObjects } from './remove-objects.ts';
import { openService } from './service-container.ts';
import { openStepContainer } from './step-container.ts';
import { createVolume } from './volumes.ts';

/** What the containers of one job are made of. */
export interface JobContainersParts {
  readonly endpoint: DockerEndpoint;
  readonly request: EnvironmentRequest;
  readonly settings: JobSettings;
  readonly folders: JobFolders;
  readonly images: ImageSource;
  /** Host of published ports, where steps run on a machine and not in a container of the job. */
  readonly publishedHost?: string;
  /** Called with the last report of a removal. */
  readonly onRemoved?: (report: RemoveReport) => void;
}

/** The machine of a label, as a container. */
export type MachineSpec = Pick<ContainerSpec, 'image' | 'pull' | 'env' | 'mounts' | 'options'>;

/** How long a removal waits for what the engine is still making. */
const makingBoundMs = 10_000;
/** An object that was asked for just before shows up in the second list at the latest. */
const maxRounds = 3;

/** All containers of one job on one engine, with its network and volumes. Names of objects begin with that of its environment. */
export class JobContainers implements DelegatedContainers {
  readonly #parts: JobContainersParts;
  readonly #making = new Set<Promise<unknown>>();
  readonly #pulls = new Map<string, Promise<ProvidedImage>>();
  readonly #ended = new AbortController();
  #place: Promise<JobPlace> | undefined;
  #jobContainer: Container | undefined;
  #count = 0;
  #removal: Promise<RemoveReport> | undefined;
  #isRemoved = false;

  constructor(parts: JobContainersParts) {
    this.#parts = parts;
  }

  /** Pulls the images of a plan, all at once. @throws BackendError of the first that fails. */
  readonly pullImages = async (specs: readonly Pull[], ctx: CallContext): Promise<void> => {
    await Promise.all(specs.map((spec) => this.#image(spec, this.#call(ctx))));
  };

  /** Makes network and volumes. Whoever makes a container has it done anyway. */
  readonly open = async (ctx: CallContext): Promise<void> => {
    await this.#open(this.#call(ctx));
  };

  /** Makes the container that stands in for the machine of a label. */
  readonly createMachine = async (spec: MachineSpec, ctx: CallContext): Promise<Container> => {
    return this.#openJob({ what: 'the label', name: 'machine', spec: { ...spec, ports: [] }, pull: spec }, ctx);
  };

  readonly createJobContainer = async (spec: JobContainerSpec, ctx: CallContext): Promise<Container> => {
    return this.#openJob({ what: 'the job', name: 'job', spec, pull: spec }, ctx);
  };

  readonly createServiceContainer = async (spec: ServiceContainerSpec, ctx: CallContext): Promise<ServiceContainer> => {
    const call = this.#call(ctx);
    const [image, place] = await Promise.all([this.#image(spec, call), this.#open(call)]);
    const { publishedHost, request } = this.#parts;
    const isSeenInside = publishedHost === undefined || request.plan.jobContainer !== undefined;
    const name = this.#name(`service-${spec.id}`);
    return openService(place, { name, image, spec, seenFrom: isSeenInside ? 'network' : { publishedHost } }, call);
  };

  readonly createStepContainer = async (spec: StepContainerSpec, ctx: CallContext): Promise<StepContainer> => {
    const call = this.#call(ctx);
    const { settings, folders } = this.#parts;
    if (settings.binds === 'none' && folders.mounts.length === 0) throw notShared(spec.stepId);
    const [image, place] = await Promise.all([this.#image(spec, call), this.#open(call)]);
    return openStepContainer(place, { name: this.#name(`step-${spec.stepId}`), image, spec }, call);
  };

  readonly buildImage = async (request: BuildRequest, ctx: CallContext): Promise<{ readonly image: string }> => {
    return this.#parts.images.build(request, this.#call(ctx));
  };

  /** The container that steps run in, once there is one. */
  jobContainer(): Container | undefined {
    return this.#jobContainer;
  }

  readonly remove = async (ctx: CallContext): Promise<RemoveReport> => {
    if (this.#isRemoved) return { removed: [], leaked: [] };
    this.#ended.abort();
    this.#removal ??= this.#removeAll(ctx).finally(() => {
      this.#removal = undefined;
    });
    return this.#removal;
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.remove(cleanUpContext());
  }

  /** What is made while everything is being removed would stay behind. */
  #call(ctx: CallContext): CallContext {
    return { ...ctx, signal: AbortSignal.any([ctx.signal, this.#ended.signal]) };
  }

  async #openJob(
    draft: {
      readonly what: string;
      readonly name: string;
      readonly spec: Omit<ContainerSpec, 'image' | 'pull' | 'credentials'>;
      readonly pull: Pull;
    },
    ctx: CallContext,
  ): Promise<Container> {
    const call = this.#call(ctx);
    const [image, place] = await Promise.all([this.#image(draft.pull, call), this.#open(call)]);
    const { what, spec } = draft;
    const container = await openJobContainer(place, { name: this.#name(draft.name), what, image, spec }, call);
    this.#jobContainer = container;
    return container;
  }

  #image(pull: Pull, ctx: CallContext): Promise<ProvidedImage> {
    // The password is part of what makes two pulls the same.
    const key = JSON.stringify([pull.image, pull.pull, pull.options.platform, pull.credentials]);
    const present = this.#pulls.get(key);
    if (present !== undefined) return present;
    const pulling = this.#parts.images.provide(pull, ctx);
    this.#pulls.set(key, pulling);
    // The next try begins anew; who waits for this one sees it fail.
    pulling.catch(() => this.#pulls.delete(key));
    return pulling;
  }

  #open(ctx: CallContext): Promise<JobPlace> {
    const opening = (this.#place ??= this.#openPlace(ctx));
    opening.catch(() => {
      if (this.#place === opening) this.#place = undefined;
    });
    return opening;
  }

  async #openPlace(ctx: CallContext): Promise<JobPlace> {
    const { endpoint, request, settings, folders } = this.#parts;
    const making = (answer: Promise<unknown>): void => this.#track(answer);
    // The network comes first: two environments of one name meet here, before either has made anything else.
    const network = await openNetwork(endpoint, request, { ...settings, making }, ctx);
    await Promise.all(folders.volumes.map((volume) => createVolume(endpoint, request, { volume, making }, ctx)));
    return { endpoint, request, settings, folders, network, making };
  }

  #track(answer: Promise<unknown>): void {
    const forget = (): boolean => this.#making.delete(settled);
    const settled: Promise<unknown> = answer.then(forget, forget);
    this.#making.add(settled);
  }

  /** Names of objects are for people, and unique by their number. */
  #name(suffix: string): string {
    this.#count += 1;
    const words = suffix
      .replaceAll(/[^A-Za-z0-9]+/g, '-')
      .replaceAll(/^-+|-+$/g, '')
      .slice(0, 40);
    return `${this.#parts.request.name}-${this.#count}-${words}`.replace(/-$/, '');
  }

  async #removeAll(ctx: CallContext): Promise<RemoveReport> {
    const { endpoint, request, onRemoved } = this.#parts;
    await settledWithin(this.#making, makingBoundMs);
    const report = await removeEnvironment(endpoint, request, removalContext(ctx));
    this.#isRemoved = report.leaked.length === 0;
    emitRemoved(request.name, report, ctx);
    onRemoved?.(report);
    return report;
  }
}

type Pull = Pick<ContainerSpec, 'image' | 'pull' | 'credentials' | 'options'>;

/** Removes everything that carries the labels of an environment. Never rejects. */
async function removeEnvironment(
  endpoint: DockerEndpoint,
  { name, owner }: Pick<EnvironmentRequest, 'name' | 'owner'>,
  ctx: CallContext,
): Promise<RemoveReport> {
  const removed: string[] = [];
  let leaked: RemoveReport['leaked'] = [];
  for (let round = 1; round <= maxRounds; round += 1) {
    try {
      const found = await listOwnedObjects(endpoint, { runner: owner.runner, environment: name }, ctx);
      // Another process may have come upon the same name.
      const objects = found.filter(({ boot }) => boot === owner.boot);
      if (objects.length === 0) return { removed, leaked: [] };
      const report = await removeObjects(endpoint, objects, ctx);
      removed.push(...report.removed);
      leaked = report.leaked;
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      return { removed, leaked: [{ resource: `environment ${name}`, error: text }] };
    }
  }
  return { removed, leaked };
}

async function settledWithin(promises: ReadonlySet<Promise<unknown>>, ms: number): Promise<void> {
  if (promises.size === 0) return;
  const over = Promise.withResolvers<void>();
  const timer = setTimeout(over.resolve, ms);
  await Promise.race([Promise.allSettled(promises), over.promise]);
  clearTimeout(timer);
}

function notShared(step: string): BackendError {
  return new BackendError(
    'unsupported',
    `expected an engine that sees the folders of the job, found one that does not, for step "${step}"`,
    {
      resource: step,
      unmet: ['steps'],
      hint: 'give the job a container, so that all its containers share volumes, or use another label',
    },
  );
}
