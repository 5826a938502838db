import { createHash } from 'node:crypto';
import { constants } from 'node:os';
import type { HandlerContext, ServiceImpl } from '@connectrpc/connect';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { durationMs } from '@bufbuild/protobuf/wkt';
import {
  BackendError,
  type CallContext,
  type EnvironmentInfo,
  type EnvironmentRequest,
  type ExecResult,
  isBackendError,
  type JobContainerSpec,
  type JobPlan,
  type ServiceContainerSpec,
  type Target,
  unmet,
} from '@forgejo-runner/core';
import {
  type BackendPlugin,
  type CopyInChunk,
  type CreateRequest,
  DataChunk_Stream as Stream,
  type ExecOutputSchema,
  type ExecRequest,
  type StartOutputSchema,
} from '../gen/plugin/v1alpha/plugin_pb.ts';
import { chunksOf } from '../chunks.ts';
import { defaultChunkBytes } from '../limits.ts';
import { MessageQueue } from '../message-queue.ts';
import { statusOfError } from '../platform-errors.ts';
import { callOf } from './call-contexts.ts';
import { followProgress } from './follow-progress.ts';
import type { Served } from './served.ts';

/** What is kept of an environment until it is started. */
interface Created {
  readonly plan: JobPlan;
  /** What its making printed: the protocol shows it with the start. */
  readonly printed: readonly Uint8Array[];
}

/** What is known of an environment that runs commands. */
interface Place {
  /** Folders that were made for commands. */
  readonly folders: Set<string>;
  /** Commands that were stopped and have not ended: the runner does not wait for them, the next command does. */
  readonly unwinding: Set<Promise<unknown>>;
}

async function settled({ unwinding }: Place): Promise<void> {
  while (unwinding.size > 0) await Promise.allSettled(unwinding);
}

/** For a runner that names no time. */
const longestMs = 24 * 3_600_000;
const printedLimitBytes = 256 * 1024;

/** The protocol of the Go runner, over a backend. */
export function alphaService(served: Served): ServiceImpl<typeof BackendPlugin> {
  const { environments, log, name } = served;
  const created = new Map<string, Created>();
  const places = new Map<string, Place>();
  const placeOf = (id: string): Place => {
    const known = places.get(id) ?? { folders: new Set<string>(), unwinding: new Set<Promise<unknown>>() };
    places.set(id, known);
    return known;
  };
  const targetOf = (id: string): Target => {
    const { environment, containers } = environments.get(id);
    const job = [...containers.values()].find((one) => one.kind === 'job');
    const target = job?.kind === 'job' ? job.container : environment.target;
    if (target !== undefined) return target;
    throw new BackendError('unavailable', `environment "${id}" was not started`);
  };
  return {
    capabilities: () => ({ name }),
    create: (request, context) =>
      answered(async () => {
        const { id, info, ...rest } = await create(served, request, context);
        created.set(id, rest);
        return responseOf(id, info);
      }),
    start: (request, context) => streamed(start(served, { id: request.environmentId, created, targetOf }, context)),
    exec: (request, context) => {
      const { environmentId: id } = request;
      const target = async (): Promise<Target> => {
        await settled(placeOf(id));
        return targetOf(id);
      };
      return streamed(exec(request, { target, place: () => placeOf(id) }, callOf(context, log)));
    },
    copyIn: (chunks, context) =>
      answered(() => {
        const target = async (id: string): Promise<Target> => {
          await settled(placeOf(id));
          return targetOf(id);
        };
        return copyIn(chunks, target, callOf(context, log));
      }),
    copyOut: ({ environmentId, srcPath }, context) =>
      streamed(copyOut(() => targetOf(environmentId), srcPath, callOf(context, log))),
    remove: ({ environmentId }) =>
      answered(async () => {
        created.delete(environmentId);
        places.delete(environmentId);
        const found = environments.find(environmentId);
        if (found === undefined) return {};
        const { leaked } = await environments.remove(found, environments.ownCall());
        if (leaked.length === 0) return {};
        throw new BackendError('internal', leaked.map(({ resource, error }) => `${resource}: ${error}`).join('; '));
      }),
  };
}

async function create(
  { backend, environments, labels, owner, log }: Served,
  request: CreateRequest,
  context: HandlerContext,
): Promise<Created & { readonly id: string; readonly info: EnvironmentInfo }> {
  const { labelArg, backendOptions, environmentTimeout } = request;
  const options = { ...backendOptions, ...(labelArg === '' ? {} : { image: labelArg }) };
  const label = await labels.ofOptions(options, callOf(context, log));
  const plan = planOf(request);
  const missing = unmet({ plan, steps: [], stepFields: [] }, label.capabilities.containers);
  if (missing.length > 0) {
    throw new BackendError('unsupported', `this backend cannot run the job: ${missing.join('; ')}`, { unmet: missing });
  }
  const id = nameOf(request.name);
  if (environments.has(id)) throw new BackendError('plan', `an environment "${request.name}" is there already`);
  const asked = environmentTimeout === undefined ? 0 : durationMs(environmentTimeout);
  const expiresAt = Date.now() + (asked > 0 ? asked : longestMs);
  const task = { id: taskOf(request.name), attempt: 1, repository: '', workflow: '', job: '' };
  const wanted: EnvironmentRequest = { name: id, task, owner, label, plan, expiresAt };
  const printed: Uint8Array[] = [];
  let bytes = 0;
  const progress = (chunk: Uint8Array): void => {
    bytes += chunk.length;
    if (bytes <= printedLimitBytes) printed.push(chunk.slice());
  };
  const place = { name: id, owner, expiresAt, capabilities: label.capabilities, signal: context.signal };
  const environment = await environments.add(place, (signal) =>
    backend.createEnvironment(wanted, callOf(context, log, { signal, progress })),
  );
  return { id, plan, printed, info: environment.info };
}

function planOf({ image, services }: CreateRequest): JobPlan {
  const plain = { pull: 'missing', env: {}, mounts: [], ports: [], options: {} } as const;
  const jobContainer: JobContainerSpec | undefined = image === '' ? undefined : { ...plain, kind: 'job', image };
  return {
    ...(jobContainer === undefined ? {} : { jobContainer }),
    services: services.map((one): ServiceContainerSpec => {
      const healthcheck = { test: 'image', intervalMs: 0, timeoutMs: 0, retries: 0, startPeriodMs: 0 } as const;
      const { name: id, image: from, env, ports } = one;
      return { ...plain, kind: 'service', id, aliases: [id], image: from, env, ports: ports.map(portOf), healthcheck };
    }),
    stepContainers: 'none',
  };
}

/** `80`, `8080:80`, `53/udp`. */
function portOf(text: string): ServiceContainerSpec['ports'][number] {
  const [, host, container, protocol = 'tcp'] = /^(?:(\d{1,5}):)?(\d{1,5})(?:\/(tcp|udp))?$/.exec(text) ?? [];
  if (container === undefined)
    throw new BackendError('plan', `expected a port, found ${JSON.stringify(text.slice(0, 200))}`);
  return {
    container: Number(container),
    ...(host === undefined ? {} : { host: Number(host) }),
    protocol: protocol === 'udp' ? 'udp' : 'tcp',
  };
}

/** The name of a task is long, and not fit for every platform; the id of the task is what people look for. */
function nameOf(name: string): string {
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 20);
  return `task-${taskOf(name).slice(0, 12)}-${hash}`;
}

function taskOf(name: string): string {
  return /TASK-(\d+)/.exec(name)?.[1] ?? '0';
}

function responseOf(environmentId: string, { paths, env, os, arch }: EnvironmentInfo) {
  return {
    environmentId,
    rootPath: paths.temp,
    actPath: paths.runner,
    toolCachePath: paths.toolCache,
    tempPath: paths.temp,
    pathVariableName: env.pathName,
    defaultPathVariable: env.defaultPath,
    pathSeparator: env.pathSeparator,
    environmentCaseInsensitive: env.caseInsensitive,
    os,
    arch,
  };
}

function said(data: Uint8Array): MessageInitShape<typeof StartOutputSchema> {
  return { Output: { case: 'data', value: { stream: Stream.STDOUT, data } } };
}

async function* start(
  { environments, log }: Served,
  {
    id,
    created,
    targetOf,
  }: { readonly id: string; readonly created: Map<string, Created>; readonly targetOf: (id: string) => Target },
  context: HandlerContext,
): AsyncGenerator<MessageInitShape<typeof StartOutputSchema>, void, undefined> {
  const { environment, containers } = environments.get(id);
  const { plan, printed } = created.get(id) ?? { plan: { services: [], stepContainers: 'none' }, printed: [] };
  created.delete(id);
  for (const data of printed) yield said(data);
  const progress = followProgress(async (sink) => {
    const ctx = callOf(context, log, { progress: sink });
    const services = plan.services.map(async (spec) => {
      const service = await environment.createServiceContainer?.(spec, ctx);
      if (service !== undefined) containers.set(`service-${spec.id}`, { kind: 'service', container: service });
      return service;
    });
    const started = await Promise.all(services);
    if (plan.jobContainer !== undefined) {
      const container = await environment.createJobContainer?.(plan.jobContainer, ctx);
      if (container !== undefined) containers.set('job', { kind: 'job', container });
    }
    await Promise.all(started.map(async (service) => service?.waitReady(ctx)));
  });
  progress.result.catch(() => {});
  for await (const data of chunksOf(progress.output, defaultChunkBytes)) yield said(data);
  await progress.result;
  yield { Output: { case: 'startComplete', value: { imageEnv: { ...targetOf(id).baseEnv } } } };
}

type Output = MessageInitShape<typeof ExecOutputSchema>;

async function* exec(
  { command, env, user, workdir }: ExecRequest,
  { target: find, place }: { readonly target: () => Promise<Target>; readonly place: () => Place },
  ctx: CallContext,
): AsyncGenerator<Output, void, undefined> {
  const target = await find();
  const { folders, unwinding } = place();
  const [program, ...args] = command;
  if (program === undefined) throw new BackendError('plan', 'expected a command, found none');
  const output = new MessageQueue<Output>();
  const sink = (stream: Stream) => async (chunk: Uint8Array) => {
    // In pieces, so that no message is too large for anybody; a copy, for the backend may use its buffer again.
    for (let at = 0; at < chunk.length; at += defaultChunkBytes) {
      const data = chunk.slice(at, at + defaultChunkBytes);
      await output.push({ Output: { case: 'data', value: { stream, data } } });
    }
  };
  try {
    if (!folders.has(workdir)) {
      // The first command of a runner makes this very folder, from within.
      await target.copyIn({ dest: workdir, tar: noEntries() }, ctx);
      folders.add(workdir);
    }
    const request = {
      argv: [program, ...args] as const,
      env,
      cwd: workdir,
      ...(user === undefined || user === '' ? {} : { user }),
      stdout: sink(Stream.STDOUT),
      stderr: sink(Stream.STDERR),
    };
    const { result } = target.exec(request, ctx);
    result.then(output.close, output.close);
    const onStop = (): void => {
      const unwound: Promise<unknown> = result.then(
        () => unwinding.delete(unwound),
        () => unwinding.delete(unwound),
      );
      unwinding.add(unwound);
      // What it still prints is nobody's, and must not hold it up.
      output.drop();
    };
    if (ctx.signal.aborted) onStop();
    else ctx.signal.addEventListener('abort', onStop, { once: true });
    yield* output;
    yield { Output: { case: 'execComplete', value: { exitCode: exitCodeOf(await result) } } };
  } catch (error) {
    if (!isBackendError(error) || !['plan', 'unsupported'].includes(error.code)) throw error;
    yield { Output: { case: 'execFailed', value: { errorMessage: error.message } } };
  } finally {
    output.drop();
  }
}

function exitCodeOf(result: ExecResult): number {
  if (result.kind === 'exited') return result.code;
  // Nobody hears it: whoever stopped it has left.
  if (result.kind === 'stopped') return 128 + constants.signals.SIGTERM;
  const numbers: Readonly<Record<string, number>> = constants.signals;
  return 128 + (numbers[result.signal] ?? 0);
}

async function* noEntries(): AsyncGenerator<Uint8Array, void, undefined> {
  yield new Uint8Array(1024);
}

async function copyIn(
  chunks: AsyncIterable<CopyInChunk>,
  targetOf: (id: string) => Promise<Target>,
  ctx: CallContext,
): Promise<Record<never, never>> {
  const iterator = chunks[Symbol.asyncIterator]();
  const first = await iterator.next();
  const { environmentId, destPath } = first.done === true ? {} : first.value;
  if (environmentId === undefined || destPath === undefined) {
    throw new BackendError('plan', 'expected environment_id and dest_path in the first chunk');
  }
  const head = first.done === true ? new Uint8Array() : first.value.data;
  await (await targetOf(environmentId)).copyIn({ dest: destPath, tar: archive(head, iterator) }, ctx);
  return {};
}

async function* archive(
  head: Uint8Array,
  rest: AsyncIterator<CopyInChunk>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let isEmpty = head.length === 0;
  if (!isEmpty) yield head;
  for (let next = await rest.next(); next.done !== true; next = await rest.next()) {
    const { environmentId, destPath, data } = next.value;
    if (environmentId !== undefined || destPath !== undefined) {
      throw new BackendError('plan', 'expected environment_id and dest_path in the first chunk only');
    }
    if (data.length === 0) continue;
    isEmpty = false;
    yield data;
  }
  // Nothing at all stands for an archive without entries.
  if (isEmpty) yield* noEntries();
}

async function* copyOut(
  target: () => Target,
  src: string,
  ctx: CallContext,
): AsyncGenerator<{ data: Uint8Array }, void, undefined> {
  for await (const data of chunksOf(target().copyOut({ src }, ctx), defaultChunkBytes)) yield { data };
}

async function answered<T>(answer: () => Promise<T>): Promise<T> {
  try {
    return await answer();
  } catch (error) {
    throw statusOfError(error);
  }
}

async function* streamed<T>(answer: AsyncGenerator<T, void, undefined>): AsyncGenerator<T, void, undefined> {
  try {
    yield* answer;
  } catch (error) {
    throw statusOfError(error);
  }
}
