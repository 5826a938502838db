import type { MessageInitShape } from '@bufbuild/protobuf';
import type { HandlerContext } from '@connectrpc/connect';
import { timestampMs } from '@bufbuild/protobuf/wkt';
import {
  BackendError,
  type CallContext,
  type EnvironmentRequest,
  type ExecutionEnvironment,
} from '@forgejo-runner/core';
import { namePattern } from '@forgejo-runner/kit';
import type {
  CreateEnvironmentRequest,
  CreateEnvironmentResponseSchema,
  ReadySchema,
} from '../gen/forgejo/runner/backend/v1/backend_pb.ts';
import { endpointToWire, infoToWire } from '../environment-messages.ts';
import { planFromWire } from '../plan-messages.ts';
import { callOf } from './call-contexts.ts';
import { followProgress } from './follow-progress.ts';
import { ownerOf, type Served } from './served.ts';

/** Boots an environment and tells how it goes. */
export async function* createEnvironment(
  served: Served,
  wire: CreateEnvironmentRequest,
  context: HandlerContext,
): AsyncGenerator<MessageInitShape<typeof CreateEnvironmentResponseSchema>, void, undefined> {
  const { backend, environments, log } = served;
  const request = await requestFromWire(served, wire, callOf(context, log));
  const { name, owner, expiresAt } = request;
  if (environments.has(name)) {
    throw new BackendError('plan', `an environment "${name}" is there already`, { resource: name });
  }
  const gone = new AbortController();
  const signal = AbortSignal.any([context.signal, gone.signal]);
  const progress = followProgress((sink) =>
    environments.add({ name, owner, expiresAt, capabilities: request.label.capabilities, signal }, (stop) =>
      backend.createEnvironment(request, callOf(context, log, { signal: stop, progress: sink })),
    ),
  );
  let isOver = false;
  try {
    yield { event: { case: 'accepted', value: { environment: name } } };
    for await (const data of progress.output) yield { event: { case: 'output', value: { data } } };
    const environment = await progress.result;
    const ready = await readyOf(environment, callOf(context, log));
    isOver = true;
    yield { event: { case: 'ready', value: ready } };
  } finally {
    // Broken off: the runner does not want it any more.
    if (!isOver) gone.abort();
    progress.result.catch(() => {});
  }
}

async function requestFromWire(
  { labels }: Served,
  wire: CreateEnvironmentRequest,
  ctx: CallContext,
): Promise<EnvironmentRequest> {
  const { name, task, expiresAt } = wire;
  if (!namePattern.test(name)) {
    throw new BackendError(
      'plan',
      `expected a name of at most 40 characters of a-z, 0-9 and "-", found ${JSON.stringify(name.slice(0, 200))}`,
    );
  }
  if (expiresAt === undefined) throw new BackendError('plan', 'expected expires_at, found none');
  return {
    name,
    task: {
      id: task?.id ?? '',
      attempt: task?.attempt ?? 1,
      repository: task?.repository ?? '',
      workflow: task?.workflow ?? '',
      job: task?.job ?? '',
    },
    owner: ownerOf(wire.owner),
    label: await labels.recall(Buffer.from(wire.labelData).toString(), ctx),
    plan: planFromWire(wire.plan),
    expiresAt: timestampMs(expiresAt),
  };
}

/** What a runner has to know of an environment that takes calls. */
export async function readyOf(
  environment: ExecutionEnvironment,
  ctx: CallContext,
): Promise<MessageInitShape<typeof ReadySchema>> {
  const { info, target, dockerEndpoint } = environment;
  return {
    info: infoToWire(info),
    baseEnv: { ...target?.baseEnv },
    hasTarget: target !== undefined,
    ...(dockerEndpoint === undefined ? {} : { dockerEndpoint: endpointToWire(await dockerEndpoint(ctx)) }),
  };
}
