import type { HandlerContext } from '@connectrpc/connect';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { randomUUID } from 'node:crypto';
import { BackendError, type CallContext, type ExecutionEnvironment } from '@forgejo-runner/core';
import {
  type BuildImageRequest,
  type BuildImageResponseSchema,
  type ContainerReadySchema,
  type CreateContainerRequest,
  type CreateContainerResponseSchema,
  type ReadLogsRequest,
  type ReadLogsResponseSchema,
  type TargetRef,
  type WatchServiceRequest,
  type WatchServiceResponseSchema,
} from '../gen/forgejo/runner/backend/v1/backend_pb.ts';
import { chunksOf } from '../chunks.ts';
import { infoToWire } from '../environment-messages.ts';
import { defaultChunkBytes } from '../limits.ts';
import { specFromWire } from '../plan-messages.ts';
import { callOf } from './call-contexts.ts';
import { followProgress } from './follow-progress.ts';
import type { ServedContainer, ServedEnvironments } from './served-environments.ts';
import type { Served } from './served.ts';

/** Makes a container and tells how it goes. */
export async function* createContainer(
  { environments, log }: Served,
  { environment: name, spec: wire }: CreateContainerRequest,
  context: HandlerContext,
): AsyncGenerator<MessageInitShape<typeof CreateContainerResponseSchema>, void, undefined> {
  const { environment, containers } = environments.get(name);
  if (wire === undefined) throw new BackendError('plan', 'expected a specification, found none');
  const spec = specFromWire(wire);
  const progress = followProgress((sink) => {
    const ctx = callOf(context, log, { progress: sink });
    return makeContainer(environment, spec, ctx);
  });
  progress.result.catch(() => {});
  for await (const data of chunksOf(progress.output, defaultChunkBytes))
    yield { event: { case: 'output', value: { data } } };
  const made = await progress.result;
  // Of our own: ids of two kinds of containers may be the same.
  const id = `${spec.kind}-${randomUUID()}`;
  containers.set(id, made);
  yield { event: { case: 'ready', value: readyOf(id, made) } };
}

async function makeContainer(
  environment: ExecutionEnvironment,
  spec: ReturnType<typeof specFromWire>,
  ctx: CallContext,
): Promise<ServedContainer> {
  const { createJobContainer, createServiceContainer, createStepContainer } = environment;
  const refused = new BackendError('unsupported', `this label makes no container of a ${spec.kind}`);
  if (spec.kind === 'job') {
    if (createJobContainer === undefined) throw refused;
    return { kind: 'job', container: await createJobContainer(spec, ctx) };
  }
  if (spec.kind === 'service') {
    if (createServiceContainer === undefined) throw refused;
    return { kind: 'service', container: await createServiceContainer(spec, ctx) };
  }
  if (createStepContainer === undefined) throw refused;
  return { kind: 'step', container: await createStepContainer(spec, ctx) };
}

function readyOf(id: string, made: ServedContainer): MessageInitShape<typeof ContainerReadySchema> {
  if (made.kind === 'step') return { container: id };
  const { container } = made;
  const network = container.network ?? '';
  if (made.kind === 'service') {
    const { hostnames, ports } = made.container;
    return { container: id, network, hostnames: [...hostnames], ports: ports.map((one) => ({ ...one })) };
  }
  const { baseEnv, info } = made.container;
  return { container: id, network, baseEnv: { ...baseEnv }, ...(info === undefined ? {} : { info: infoToWire(info) }) };
}

/** Waits until a service is ready. */
export async function* watchService(
  { environments, log }: Served,
  { target }: WatchServiceRequest,
  context: HandlerContext,
): AsyncGenerator<MessageInitShape<typeof WatchServiceResponseSchema>, void, undefined> {
  const service = serviceOf(environments, target);
  yield { status: 'starting' };
  await service.waitReady(callOf(context, log));
  yield { status: 'healthy', final: true };
}

/** What a service printed. */
export async function* readLogs(
  { environments, log }: Served,
  { target }: ReadLogsRequest,
  context: HandlerContext,
): AsyncGenerator<MessageInitShape<typeof ReadLogsResponseSchema>, void, undefined> {
  const { logs } = serviceOf(environments, target);
  if (logs === undefined) throw new BackendError('unsupported', 'logs of services are not kept here');
  const progress = followProgress((sink) => logs(sink, callOf(context, log)));
  progress.result.catch(() => {});
  for await (const data of chunksOf(progress.output, defaultChunkBytes)) yield { output: { data } };
  await progress.result;
}

function serviceOf(environments: ServedEnvironments, target: TargetRef | undefined) {
  const found = environments.get(target?.environment ?? '').containers.get(target?.container ?? '');
  if (found?.kind !== 'service') throw new BackendError('not_found', 'there is no such service');
  return found.container;
}

/** Builds an image of what a runner sends. */
export async function* buildImage(
  { environments, log }: Served,
  requests: AsyncIterable<BuildImageRequest>,
  context: HandlerContext,
): AsyncGenerator<MessageInitShape<typeof BuildImageResponseSchema>, void, undefined> {
  const iterator = requests[Symbol.asyncIterator]();
  const first = await iterator.next();
  const start = first.done === true ? undefined : first.value.input;
  if (start?.case !== 'start') throw new BackendError('plan', 'expected start as the first message of a build');
  const { environment: name, dockerfile, tag, platform, buildArgs } = start.value;
  const { buildImage: build } = environments.get(name).environment;
  if (build === undefined) throw new BackendError('unsupported', 'this label builds no images');
  const progress = followProgress((output) => {
    const request = { context: buildContext(iterator), dockerfile, tag, buildArgs, output };
    return build({ ...request, ...(platform === '' ? {} : { platform }) }, callOf(context, log));
  });
  progress.result.catch(() => {});
  for await (const data of chunksOf(progress.output, defaultChunkBytes))
    yield { event: { case: 'output', value: { data } } };
  yield { event: { case: 'image', value: (await progress.result).image } };
}

async function* buildContext(messages: AsyncIterator<BuildImageRequest>): AsyncGenerator<Uint8Array, void, undefined> {
  for (;;) {
    const next = await messages.next();
    if (next.done === true) throw new BackendError('lost', 'the context ended before its last piece');
    const { input } = next.value;
    if (input.case === 'last') return;
    if (input.case === 'contextTar') yield input.value;
  }
}
