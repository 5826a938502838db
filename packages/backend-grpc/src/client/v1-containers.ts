import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  BackendError,
  type BuildRequest,
  type CallContext,
  type Container,
  type JobContainerSpec,
  type Owner,
  type RemoveReport,
  type ServiceContainer,
  type ServiceContainerSpec,
  type StepContainer,
  type StepContainerSpec,
} from '@forgejo-runner/core';
import { cancelled } from '@forgejo-runner/kit';
import { chunksOf } from '../chunks.ts';
import type { BuildImageRequestSchema, ContainerReady } from '../gen/forgejo/runner/backend/v1/backend_pb.ts';
import { infoFromWire } from '../environment-messages.ts';
import { plain, errorOfStatus } from '../platform-errors.ts';
import { protocolOf, specToWire } from '../plan-messages.ts';
import { removeRemote, stateOf } from './remote-calls.ts';
import { runExec } from './v1-exec.ts';
import { execPlace, remoteTarget, type TargetParts } from './v1-target.ts';

type AnySpec = JobContainerSpec | ServiceContainerSpec | StepContainerSpec;

/** Has a container made on the other side. */
export async function createRemoteContainer(
  { connection, environment }: TargetParts,
  spec: AnySpec,
  ctx: CallContext,
): Promise<ContainerReady> {
  const what = `making a container of a ${spec.kind} at ${connection.name}`;
  let ready: ContainerReady | undefined;
  const request = { environment, spec: specToWire(spec) };
  await streamed(what, ctx, async () => {
    for await (const { event } of connection.client.createContainer(request, { signal: ctx.signal })) {
      if (ready !== undefined) throw broken(connection.name, 'went on after a container was ready');
      if (event.case === 'output') await ctx.progress(event.value.data);
      else if (event.case === 'ready') ready = event.value;
    }
  });
  if (ready === undefined || ready.container === '')
    throw broken(connection.name, 'made a container without saying which');
  return ready;
}

/** The job container as a target. */
export function remoteJob(parts: TargetParts, ready: ContainerReady, owner: Owner): Container {
  const { connection } = parts;
  return {
    ...remoteTarget(parts),
    ...common(parts, ready, owner),
    ...(ready.info === undefined ? {} : { info: infoFromWire(ready.info, connection.name) }),
    state: (ctx) => stateOf(connection, parts, ctx),
  };
}

/** A service, with what it is reached by. */
export function remoteService(parts: TargetParts, ready: ContainerReady, owner: Owner): ServiceContainer {
  const { connection, environment, container } = parts;
  const target = { environment, container };
  return {
    ...common(parts, ready, owner),
    hostnames: ready.hostnames,
    ports: ready.ports.map(({ container: inside, protocol, host, port }) => ({
      container: inside,
      protocol: protocolOf(protocol),
      host,
      port,
    })),
    waitReady: (ctx) => waitReady(parts, ctx),
    logs: (sink, ctx) =>
      streamed(`reading logs at ${connection.name}`, ctx, async () => {
        for await (const { output } of connection.client.readLogs({ target }, { signal: ctx.signal })) {
          if (output !== undefined) await sink(output.data);
        }
      }),
  };
}

async function waitReady({ connection, environment, container }: TargetParts, ctx: CallContext): Promise<void> {
  const what = `waiting for a service at ${connection.name}`;
  const target = { environment, container };
  let isReady = false;
  await streamed(what, ctx, async () => {
    for await (const { status, final } of connection.client.watchService({ target }, { signal: ctx.signal })) {
      isReady ||= final && status === 'healthy';
    }
  });
  if (!isReady) throw new BackendError('lost', `${what}: the stream ended before the service was ready`);
}

/** The container of a step. */
export function remoteStep(parts: TargetParts, ready: ContainerReady, owner: Owner): StepContainer {
  return {
    ...common(parts, ready, owner),
    run: (io, ctx) => {
      const place = execPlace(parts);
      return runExec(place, { target: place.ref, runEntrypoint: true }, io, ctx);
    },
  };
}

function common({ connection, environment, container }: TargetParts, { network }: ContainerReady, owner: Owner) {
  const remove = (): Promise<RemoveReport> => removeRemote(connection, { environment, container }, owner);
  return {
    id: container,
    ...(network === '' ? {} : { network: plain(network) }),
    remove,
    [Symbol.asyncDispose]: async (): Promise<void> => void (await remove()),
  };
}

/** Has an image built on the other side. */
export async function buildRemoteImage(
  { connection, environment }: TargetParts,
  { context, dockerfile, tag, platform = '', buildArgs, output }: BuildRequest,
  ctx: CallContext,
): Promise<{ readonly image: string }> {
  async function* messages(): AsyncGenerator<MessageInitShape<typeof BuildImageRequestSchema>> {
    const value = { environment, dockerfile, tag, platform, buildArgs: { ...buildArgs } };
    yield { input: { case: 'start', value } };
    for await (const chunk of chunksOf(context, connection.chunkBytes)) {
      yield { input: { case: 'contextTar', value: chunk } };
    }
    yield { input: { case: 'last', value: true } };
  }
  let image = '';
  await streamed(`building an image at ${connection.name}`, ctx, async () => {
    for await (const { event } of connection.client.buildImage(messages(), { signal: ctx.signal })) {
      if (event.case === 'output') await output(event.value.data);
      else if (event.case === 'image') image = event.value;
    }
  });
  if (image === '') throw broken(connection.name, 'built an image without saying which');
  return { image };
}

async function streamed(what: string, ctx: CallContext, read: () => Promise<void>): Promise<void> {
  try {
    await read();
  } catch (error) {
    if (ctx.signal.aborted) throw cancelled(what);
    throw errorOfStatus(error, what);
  }
}

function broken(server: string, what: string): BackendError {
  return new BackendError('internal', `${server} ${what}: it breaks the protocol`);
}
