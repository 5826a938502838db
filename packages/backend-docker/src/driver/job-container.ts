import {
  BackendError,
  type CallContext,
  type Container,
  type ContainerSpec,
  isBackendError,
  type Liveness,
} from '@forgejo-runner/core';
import { copyIn, copyOut } from '../copy.ts';
import { type ExecPlace, runExec } from '../exec.ts';
import { statusOf } from '../platform-errors.ts';
import { askEngine } from './ask-engine.ts';
import { giveFolders } from './container-folders.ts';
import { removal } from './container-removal.ts';
import { type ContainerUser, findContainerUser } from './container-user.ts';
import { type ContainerDraft, createContainer, startContainer } from './containers.ts';
import type { DockerEndpoint } from './endpoint.ts';
import { emulationError } from './emulation.ts';
import { endOf, startExec } from './engine-exec.ts';
import { environmentInfo, imageEnv } from './environment-info.ts';
import { idleCommand, shellPath } from './idle-process.ts';
import type { ProvidedImage } from './images.ts';
import type { JobPlace } from './job-place.ts';
import { runsNatively } from './platform.ts';
import { runnerAddress } from './runner-address.ts';

/** A container that steps run in, and whether it is the machine of the label or what the workflow asks for. */
export interface JobContainerDraft {
  readonly name: string;
  readonly what: string;
  readonly image: ProvidedImage;
  readonly spec: Omit<ContainerSpec, 'image' | 'pull' | 'credentials'>;
}

/**
 * Makes and starts a container that waits for execs.
 *
 * @throws BackendError `plan` when its image has no shell, or does not know its user; `image` when it is for another
 * processor and nothing emulates that.
 */
export async function openJobContainer(
  place: JobPlace,
  draft: JobContainerDraft,
  ctx: CallContext,
): Promise<Container> {
  const { endpoint, network, folders } = place;
  const { image, what, spec } = draft;
  const id = await createContainer(place, containerDraft(place, draft), ctx);
  const asked = spec.options.user;
  const user = typeof asked === 'string' || typeof asked === 'number' ? String(asked) : image.config.user;
  const [found] = await Promise.all([
    findContainerUser(endpoint, { container: id, user, image: image.name }, ctx),
    checkShell(endpoint, { container: id, image: image.name }, ctx),
  ]);
  const env = { ...imageEnv(image), ...spec.env };
  const info = environmentInfo({ facts: endpoint.facts, image, folders: folders.paths, home: homeOf(found, env), env });
  const missing = await missingFolders(endpoint, { container: id, folder: info.paths.home }, ctx);
  // Steps may run as other users than the container's, and nobody else is in it.
  await giveFolders(endpoint, { container: id, folders: folders.given, user: found, mode: 0o777 }, ctx);
  await giveFolders(endpoint, { container: id, folders: missing, user: found, mode: 0o755 }, ctx);
  await startContainer(place, { id, what, image }, ctx);
  const started = await stateOf(endpoint, id, ctx);
  if (!started.alive) throw emulationError(image, endpoint.facts) ?? notStarted(started, draft);
  await checkEmulation(endpoint, { container: id, image }, ctx);
  const address = await runnerAddress(place, id, ctx);
  const at = { id, uid: found.uid, gid: found.gid };
  const inherited = [...image.config.env.map((entry) => entry.split('=', 1)[0] ?? ''), 'HOSTNAME'];
  const execs: ExecPlace = { endpoint, container: id, environment: place.request.name, inherited, oomKills: 0 };
  return {
    id,
    network: network.name,
    info: { ...info, ...(address === undefined ? {} : { runnerAddress: address }) },
    baseEnv: { ...env, HOME: info.paths.home },
    exec: (request, call) => runExec(execs, request, call),
    copyIn: (request, call) => copyIn(endpoint, at, request, call),
    copyOut: (request, call) => copyOut(endpoint, id, request, call),
    state: (call) => stateOf(endpoint, id, call),
    ...removal(place, { kind: 'container', id, name: draft.name }),
  };
}

function containerDraft(
  { request, folders }: JobPlace,
  { name, what, image, spec }: JobContainerDraft,
): ContainerDraft {
  const { workdir = folders.paths.workspace, healthcheck } = spec.options;
  return {
    name,
    what,
    image,
    // Steps are started by execs: the image's own program would only be in their way.
    // Each exec gets its variables anew: those of the container everybody can read who asks the engine for it.
    spec: { ...spec, env: {}, entrypoint: idleCommand(request.expiresAt, Date.now()), cmd: [] },
    aliases: [],
    fixed: {
      WorkingDir: String(workdir),
      OpenStdin: true,
      StdinOnce: false,
      ...(healthcheck === undefined ? { Healthcheck: { Test: ['NONE'] } } : {}),
      host: { Init: true, LogConfig: { Type: 'none', Config: {} } },
    },
  };
}

/** How a container is. @throws BackendError when the engine does not answer. */
export async function stateOf({ client }: DockerEndpoint, id: string, ctx: CallContext): Promise<Liveness> {
  return askEngine({ doing: 'look at the container', resource: id }, ctx, async () => {
    try {
      const { State: state } = await client.getContainer(id).inspect();
      if (state.Running) return { alive: true };
      const detail = `it ended with code ${state.ExitCode}${state.Error === '' ? '' : `: ${state.Error}`}`;
      return { alive: false, reason: state.OOMKilled ? 'oom' : 'stopped', detail };
    } catch (error) {
      if (statusOf(error) === 404) return { alive: false, reason: 'stopped', detail: 'its container was removed' };
      throw error;
    }
  });
}

/** Engines start a container whose program cannot run, and see it end a moment later. */
async function checkEmulation(
  endpoint: DockerEndpoint,
  { container, image }: { readonly container: string; readonly image: ProvidedImage },
  ctx: CallContext,
): Promise<void> {
  if (runsNatively(image.config, endpoint.facts)) return;
  let cause: unknown;
  try {
    const draft = { container, argv: [shellPath, '-c', ':'], env: [], hasStdin: false, tty: undefined };
    const exec = await startExec(endpoint, draft, ctx);
    exec.stream.resume();
    const { code } = await endOf(exec, async () => ctx.signal.throwIfAborted());
    exec.stream.destroy();
    if (code === 0) return;
  } catch (error) {
    // An engine that does not answer says nothing about the image.
    const isAnswer = isBackendError(error) && statusOf(error.cause) !== undefined;
    if (!isAnswer) throw error;
    cause = error;
  }
  throw emulationError(image, endpoint.facts, cause);
}

async function checkShell(
  { client }: DockerEndpoint,
  { container, image }: { readonly container: string; readonly image: string },
  ctx: CallContext,
): Promise<void> {
  await askEngine({ doing: `look for ${shellPath}`, resource: image }, ctx, async () => {
    try {
      await client.getContainer(container).infoArchive({ path: shellPath });
    } catch (error) {
      if (statusOf(error) !== 404) throw error;
      throw new BackendError('plan', `expected a shell at ${shellPath} in image "${image}", found none`, {
        resource: image,
        cause: error,
        hint: 'choose an image that steps can run in; one without a shell can be a service, or the container of a step',
      });
    }
  });
}

function homeOf(user: ContainerUser, env: Readonly<Record<string, string>>): string {
  const given = env['HOME'];
  if (given?.startsWith('/') && given !== '/') return given;
  return user.home ?? (user.uid === 0 ? '/root' : '/home/runner');
}

/** What processes call home has to be there; one of an image stays as it is, whoever it belongs to. */
async function missingFolders(
  { client }: DockerEndpoint,
  { container, folder }: { readonly container: string; readonly folder: string },
  ctx: CallContext,
): Promise<readonly string[]> {
  return askEngine({ doing: 'look for the home folder', resource: folder }, ctx, async () => {
    try {
      await client.getContainer(container).infoArchive({ path: folder });
      return [];
    } catch (error) {
      if (statusOf(error) === 404) return [folder];
      throw error;
    }
  });
}

function notStarted({ detail = '', reason }: Liveness, { what, image }: JobContainerDraft): BackendError {
  return new BackendError('plan', `expected ${what} to stay up, found that ${detail}`, {
    resource: image.name,
    hint:
      reason === 'oom'
        ? 'give it more memory'
        : `look whether ${shellPath} of image "${image.name}" runs on this engine`,
  });
}
