import { BackendError, type CallContext, type ContainerSpec, type Port } from '@forgejo-runner/core';
import type { ContainerCreateOptions, HostConfig } from 'dockerode';
import { statusOf } from '../platform-errors.ts';
import { askEngine } from './ask-engine.ts';
import { emulationError, isAboutForeignProgram } from './emulation.ts';
import type { ProvidedImage } from './images.ts';
import { emitCreated, type JobPlace, type JobSettings } from './job-place.ts';
import { objectLabels } from './object-labels.ts';
import { engineOptions, readRunOptions, type RunOptions } from './run-options.ts';
import { engineMount } from './volumes.ts';

/** A container that is to be made. */
export interface ContainerDraft {
  /** Unique in the engine. */
  readonly name: string;
  /** For messages, such as `service "db"`. */
  readonly what: string;
  readonly image: { readonly id: string; readonly name: string };
  readonly spec: Pick<ContainerSpec, 'env' | 'mounts' | 'ports' | 'options' | 'entrypoint' | 'cmd'>;
  /** More names in the network of the job. */
  readonly aliases: readonly string[];
  /** Wins over what the specification says. */
  readonly fixed: ContainerCreateOptions & { readonly host?: HostConfig };
}

/**
 * Makes a container, which does not run yet.
 *
 * @throws BackendError `plan` or `unsupported` for what the specification asks for.
 */
export async function createContainer(place: JobPlace, draft: ContainerDraft, ctx: CallContext): Promise<string> {
  const options = createOptions(place, draft);
  const question = { doing: `make the container of ${draft.what}`, resource: draft.name, making: place.making };
  const id = await askEngine(question, ctx, async () => {
    try {
      return (await createWithInit(place, options)).id;
    } catch (error) {
      throw createError(error, draft);
    }
  });
  emitCreated(place, `container ${draft.name}`, ctx);
  return id;
}

/**
 * Starts a container.
 *
 * @throws BackendError `plan` when a program, port or mount is not there to be used, `image` for one of another processor.
 */
export async function startContainer(
  { endpoint }: Pick<JobPlace, 'endpoint'>,
  { id, what, image }: { readonly id: string; readonly what: string; readonly image: ProvidedImage },
  ctx: CallContext,
): Promise<void> {
  await askEngine({ doing: `start the container of ${what}`, resource: what }, ctx, async () => {
    try {
      await endpoint.client.getContainer(id).start();
    } catch (error) {
      const isForeign = isAboutForeignProgram(messageOf(error));
      throw (isForeign ? emulationError(image, endpoint.facts, error) : undefined) ?? startError(error, what);
    }
  });
}

/** Everything that the engine is told about a container. */
export function createOptions(
  place: Omit<JobPlace, 'making' | 'endpoint'>,
  draft: ContainerDraft,
): ContainerCreateOptions {
  const { settings, folders, network, request } = place;
  const { spec, what } = draft;
  const options = withinLimits(readRunOptions(spec.options, what), settings, what);
  const { config, host } = engineOptions(options);
  const { host: fixedHost, ...fixed } = draft.fixed;
  const ports = network.isHost || network.name === 'none' ? [] : spec.ports;
  return {
    ...config,
    name: draft.name,
    Image: draft.image.id,
    Env: Object.entries(spec.env).map(([name, value]) => `${name}=${value}`),
    ...(spec.entrypoint === undefined ? {} : { Entrypoint: [...spec.entrypoint] }),
    ...(spec.cmd === undefined ? {} : { Cmd: [...spec.cmd] }),
    // Ours win: who a container belongs to is not for a job to say.
    Labels: { ...options.labels, ...objectLabels(request) },
    ExposedPorts: Object.fromEntries(ports.map((port) => [portKey(port), {}])),
    ...(network.hasNames
      ? { NetworkingConfig: { EndpointsConfig: { [network.name]: { Aliases: [...draft.aliases] } } } }
      : {}),
    ...fixed,
    HostConfig: {
      ...host,
      NetworkMode: network.name,
      Mounts: [
        ...folders.mounts,
        ...socketMounts(settings),
        ...spec.mounts.map((mount) => engineMount(mount, settings.binds)),
      ],
      PortBindings: portBindings(ports, settings.publishAt),
      ...fixedHost,
    },
  };
}

function socketMounts({ socket }: JobSettings): NonNullable<HostConfig['Mounts']> {
  return socket === undefined ? [] : [{ Type: 'bind', Source: socket, Target: '/var/run/docker.sock' }];
}

/** How the engine writes a port. */
export function portKey({ container, protocol }: Pick<Port, 'container' | 'protocol'>): string {
  return `${container}/${protocol}`;
}

function portBindings(ports: readonly Port[], publishAt: string | undefined): Record<string, object[]> {
  const bindings: Record<string, object[]> = {};
  for (const port of ports) {
    const list = (bindings[portKey(port)] ??= []);
    // The engine chooses a free port for an empty text.
    list.push({ HostIp: publishAt ?? '', HostPort: port.host === undefined ? '' : String(port.host) });
  }
  return bindings;
}

function least(asked: number | undefined, most: number | undefined): number | undefined {
  return asked === undefined || asked <= 0 ? (most ?? asked) : Math.min(asked, most ?? asked);
}

/** Puts the administrator's limits above what a specification asks for. */
function withinLimits(options: RunOptions, settings: JobSettings, what: string): RunOptions {
  if (options.privileged === true && settings.privileged === 'never') {
    throw new BackendError(
      'unsupported',
      `expected ${what} without privileged mode, found "privileged"; this runner allows it nowhere`,
      {
        resource: what,
        unmet: ['privileged'],
        hint: 'its administrator can allow it with the key "privileged" of the backend',
      },
    );
  }
  const limits = {
    memory: least(options.memory, settings.memory),
    cpus: least(options.cpus, settings.cpus),
    pidsLimit: least(options.pidsLimit, settings.pidsLimit),
    // More swap than memory is more than the limit of the memory.
    memorySwap: settings.memory === undefined ? options.memorySwap : undefined,
  };
  const { memory: _memory, cpus: _cpus, pidsLimit: _pids, memorySwap: _swap, ...rest } = options;
  return {
    ...rest,
    ...Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined)),
    ...(settings.privileged === 'always' ? { privileged: true } : {}),
  };
}

/** Podman has no init of its own: where its machine lacks one, containers do without. */
async function createWithInit(
  { endpoint }: JobPlace,
  options: ContainerCreateOptions,
): Promise<{ readonly id: string }> {
  try {
    return await createIt(endpoint, options);
  } catch (error) {
    if (options.HostConfig?.Init !== true || !/init binary|catatonit/.test(messageOf(error))) throw error;
    return createIt(endpoint, { ...options, HostConfig: { ...options.HostConfig, Init: false } });
  }
}

/** The client would put everything into the address as well, where variables are in every log of the engine. */
function createIt(
  { client }: JobPlace['endpoint'],
  { name, platform, ...body }: ContainerCreateOptions,
): Promise<{ readonly id: string }> {
  const parts = { _query: { name, ...(platform === undefined ? {} : { platform }) }, _body: body };
  // Its types do not know the two.
  return client.createContainer(parts as ContainerCreateOptions);
}

function createError(error: unknown, { name, what, image }: ContainerDraft): unknown {
  const status = statusOf(error);
  const message = messageOf(error);
  if (status === 409 && /name|in use/i.test(message)) {
    return new BackendError('plan', `expected a name that is free, found a container "${name}" already`, {
      resource: name,
      cause: error,
      hint: 'choose another name for each attempt',
    });
  }
  if (/does not match the (?:specified|requested) platform/.test(message)) {
    return new BackendError('image', `expected image "${image.name}" for the platform asked for, found ${message}`, {
      resource: image.name,
      cause: error,
      hint: 'name another platform or image',
    });
  }
  const isTheirs = status === 400 || status === 409 || theirMistake.test(message);
  return isTheirs ? planError(error, `make the container of ${what}`) : error;
}

function startError(error: unknown, what: string): unknown {
  const message = messageOf(error);
  if (/port is already allocated|address already in use/.test(message)) {
    const port = /(?:0\.0\.0\.0|\]|[\d.]+):(\d+)/.exec(message)?.[1];
    const found = port === undefined ? 'one of them in use' : `port ${port} in use`;
    return new BackendError('plan', `expected free ports of the machine for ${what}, found ${found}`, {
      resource: what,
      cause: error,
      hint: 'leave out the port of the machine, so that a free one is taken, or ask for another one',
    });
  }
  return theirMistake.test(message) || statusOf(error) === 400
    ? planError(error, `start the container of ${what}`)
    : error;
}

/** What engines call failures of their own, although a specification asked for something that cannot be. */
const theirMistake =
  /executable file not found|no such file or directory|permission denied|not a directory|exec format error|invalid|rlimit/i;

/** The engine says what it does not like about a container that somebody described. */
function planError(error: unknown, doing: string): BackendError {
  const said = messageOf(error)
    .replace(/^\(HTTP code \d+\) [^-]*- /, '')
    .trim();
  return new BackendError('plan', `cannot ${doing}: the engine says "${said.slice(0, 500)}"`, {
    cause: error,
    hint: 'correct image, options, volumes or entrypoint of that container',
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
