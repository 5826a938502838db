import {
  BackendError,
  type BackendHealth,
  type CallContext,
  type ContainerSpec,
  type EnvironmentRequest,
  type ExecutionEnvironment,
  type FactoryInput,
  type TypedBackend,
} from '@forgejo-runner/core';
import type { DockerConfig } from './config.ts';
import { askEngine } from './driver/ask-engine.ts';
import { cleanUpContext } from './driver/container-removal.ts';
import type { DockerEndpoint } from './driver/endpoint.ts';
import { environmentInfo, imageEnv } from './driver/environment-info.ts';
import { ImageRecords } from './driver/image-records.ts';
import { type ImageSource, imageSource } from './driver/image-source.ts';
import { JobContainers, type MachineSpec } from './driver/job-containers.ts';
import { ownFolders } from './driver/job-folders.ts';
import type { JobSettings } from './driver/job-place.ts';
import { livingEnvironments } from './driver/living-environments.ts';
import { type PruneLimits, pruneImages } from './driver/prune-images.ts';
import { sweepEngine } from './driver/sweep-engine.ts';
import { DockerEnvironment } from './environment.ts';
import { type DockerLabel, dockerCapabilities } from './label.ts';
import { openConfiguredEndpoint } from './open-endpoint.ts';

/** How long `health` waits for the engine. */
const healthMs = 4000;

/**
 * Opens the backend, bound to one engine for as long as it lives.
 *
 * @throws BackendError `unavailable` when no engine answers, `config` when the configuration cannot work.
 */
export async function openDockerBackend(
  config: DockerConfig,
  input: Pick<FactoryInput, 'stateDir' | 'owner'>,
  ctx: CallContext,
): Promise<TypedBackend<DockerLabel>> {
  const endpoint = await openConfiguredEndpoint(config.endpoint, ctx);
  const place: DockerPlace = { endpoint, config, input, living: new Set() };
  return {
    describeLabel: async () => dockerCapabilities(endpoint.facts),
    createEnvironment: (request, call) => openEnvironment(place, request, call),
    sweep: (request, call) => sweepEngine(endpoint, request, call),
    prune: (request, call) => pruneImages(endpoint, request, pruneLimits(config, input), call),
    health: () => healthOf(endpoint),
    [Symbol.asyncDispose]: async () => {
      for (const environment of place.living) environment.forget();
      await endpoint[Symbol.asyncDispose]();
    },
  };
}

function pruneLimits(
  { keep_images_hours: hours, keep_images_bytes: maxBytes }: DockerConfig,
  { stateDir }: Pick<FactoryInput, 'stateDir'>,
): PruneLimits {
  const records = new ImageRecords(stateDir);
  return { records, unusedMs: hours * 3_600_000, ...(maxBytes === undefined ? {} : { maxBytes }) };
}

interface DockerPlace {
  readonly endpoint: DockerEndpoint;
  readonly config: DockerConfig;
  readonly input: Pick<FactoryInput, 'stateDir' | 'owner'>;
  readonly living: Set<DockerEnvironment>;
}

async function openEnvironment(
  place: DockerPlace,
  request: EnvironmentRequest & { readonly options: DockerLabel },
  ctx: CallContext,
): Promise<ExecutionEnvironment> {
  const { name, plan, expiresAt } = request;
  const { endpoint, config } = place;
  if (!livingEnvironments.add(name)) throw taken(name);
  const images = imageSource(endpoint, { request, config, stateDir: place.input.stateDir });
  let environment: DockerEnvironment | undefined;
  const containers = new JobContainers({
    endpoint,
    request,
    settings: settingsOf(config, endpoint),
    folders: ownFolders(request, config.workdir_parent),
    images,
    onRemoved: (report) => {
      livingEnvironments.removed(name, report);
      if (environment !== undefined) place.living.delete(environment);
    },
  });
  try {
    const machineSpec = plan.jobContainer === undefined ? machineOf(request.options, config) : undefined;
    const { jobContainer = machineSpec } = plan;
    const pulled = containers.pullImages(
      [...(jobContainer === undefined ? [] : [jobContainer]), ...plan.services],
      ctx,
    );
    // Nothing of it depends on images, and a name that is taken is known at once.
    await Promise.all([pulled, containers.open(ctx)]);
    const machine = machineSpec === undefined ? undefined : await containers.createMachine(machineSpec, ctx);
    const info = machine?.info ?? (await expectedInfo({ place, request, images, spec: jobContainer }, ctx));
    environment = new DockerEnvironment({ name, expiresAt, info, containers, machine });
    place.living.add(environment);
    return environment;
  } catch (error) {
    const report = await containers.remove(cleanUpContext());
    for (const { resource, error: text } of report.leaked) ctx.log.warn(`${resource} is left: ${text}`);
    throw error;
  }
}

/** The container of a label, as the administrator wants it. */
function machineOf({ image, platform, pull }: DockerLabel, config: DockerConfig): MachineSpec {
  const { env, mounts, options } = config.container_options;
  return {
    image,
    pull: config.force_pull ? 'always' : pull,
    env,
    mounts,
    options: { ...options, ...(platform === undefined ? {} : { platform }) },
  };
}

/** The job container says it more exactly once it is there. */
async function expectedInfo(
  parts: {
    readonly place: DockerPlace;
    readonly request: EnvironmentRequest;
    readonly images: ImageSource;
    readonly spec: Pick<ContainerSpec, 'image' | 'pull' | 'credentials' | 'options'> | undefined;
  },
  ctx: CallContext,
): Promise<ExecutionEnvironment['info']> {
  const { place, request, images, spec } = parts;
  if (spec === undefined) throw new Error('an environment has a container of its label or of its job');
  // It was pulled already.
  const image = await images.provide({ ...spec, pull: 'never' }, ctx);
  const env = imageEnv(image);
  const { paths: folders } = ownFolders(request, place.config.workdir_parent);
  return environmentInfo({ facts: place.endpoint.facts, image, folders, home: env['HOME'] ?? '/root', env });
}

function settingsOf(config: DockerConfig, { descriptor }: DockerEndpoint): JobSettings {
  const socket = descriptor.socketInTarget;
  if (config.docker_socket && socket === undefined) {
    throw new BackendError('config', `expected an engine at a socket to give to jobs, found ${descriptor.address}`, {
      resource: 'docker_socket',
      hint: 'leave the key "docker_socket" out, or set "endpoint" to unix:///path',
    });
  }
  return {
    ...(config.network === undefined ? {} : { network: config.network }),
    hasIpv6: config.enable_ipv6,
    privileged: config.privileged ? 'always' : 'never',
    ...(config.memory === undefined ? {} : { memory: config.memory }),
    ...(config.cpus === undefined ? {} : { cpus: config.cpus }),
    ...(config.pids_limit === undefined ? {} : { pidsLimit: config.pids_limit }),
    ...(config.docker_socket && socket !== undefined ? { socket } : {}),
    binds: 'target-paths',
  };
}

async function healthOf({ client, descriptor }: DockerEndpoint): Promise<BackendHealth> {
  try {
    const signal = AbortSignal.timeout(healthMs);
    await askEngine({ doing: 'answer in time', resource: descriptor.address }, { signal }, () => client.ping());
    return { status: 'ok' };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return { status: 'down', detail: `the engine at ${descriptor.address} does not answer: ${why.slice(0, 300)}` };
  }
}

function taken(name: string): BackendError {
  return new BackendError('plan', `expected a name that is free, found an environment "${name}" already`, {
    resource: name,
    hint: 'choose another name for each attempt',
  });
}
