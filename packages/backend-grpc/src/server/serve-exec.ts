import type { HandlerContext } from '@connectrpc/connect';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { durationMs } from '@bufbuild/protobuf/wkt';
import { BackendError, type ExecRequest as ContractRequest } from '@forgejo-runner/core';
import type {
  ExecRequest,
  ExecResponseSchema,
  ExecStart,
  TargetRef,
} from '../gen/forgejo/runner/backend/v1/backend_pb.ts';
import { defaultChunkBytes } from '../limits.ts';
import { callOf } from './call-contexts.ts';
import { ServedExec, type ServedExecOptions } from './served-exec.ts';
import type { Served } from './served.ts';

type Response = MessageInitShape<typeof ExecResponseSchema>;

const largestWindowBytes = 16 * 1024 * 1024;

/** Runs a process, or goes on with one whose connection was lost. */
export async function* serveExec(
  served: Served,
  requests: AsyncIterable<ExecRequest>,
  context: HandlerContext,
): AsyncGenerator<Response, void, undefined> {
  const iterator = requests[Symbol.asyncIterator]();
  const first = await iterator.next();
  const input = first.done === true ? undefined : first.value.input;
  const { exec, from } =
    input?.case === 'start'
      ? { exec: start(served, input.value, context), from: 0 }
      : input?.case === 'resume'
        ? { exec: find(served, input.value.target, input.value.execId), from: Number(input.value.offset) }
        : refuse();
  const failed = new AbortController();
  const problem: { error?: unknown } = {};
  void takeInput(exec, iterator).catch((error: unknown) => {
    // The connection is gone, or the runner sent what nobody may send.
    problem.error = error;
    if (!context.signal.aborted) failed.abort();
  });
  const { id: execId, isResumable: resumable, stdinWindowBytes } = exec;
  yield { output: { case: 'started', value: { execId, resumable, stdinWindowBytes: BigInt(stdinWindowBytes) } } };
  yield* exec.read(from, AbortSignal.any([context.signal, failed.signal]));
  if (failed.signal.aborted) throw problem.error;
}

function refuse(): never {
  throw new BackendError('plan', 'expected start or resume as the first message of an exec');
}

function find({ environments }: Served, target: TargetRef | undefined, execId: string): ServedExec {
  const exec = environments.find(target?.environment ?? '')?.execs.get(execId);
  if (exec === undefined || !exec.isResumable) throw new BackendError('lost', 'the exec is not known here');
  return exec;
}

function start(served: Served, wire: ExecStart, context: HandlerContext): ServedExec {
  const { environments, log, heartbeatMs, keepMs } = served;
  const { environment: name = '', container = '' } = wire.target ?? {};
  const { execs } = environments.get(name);
  if (wire.execId === '' || execs.has(wire.execId)) {
    throw new BackendError('plan', 'expected an exec_id that is not in use');
  }
  const exec = new ServedExec({
    id: wire.execId,
    windowBytes: Math.min(Number(wire.windowBytes), largestWindowBytes),
    chunkBytes: defaultChunkBytes,
    hasStdin: wire.hasStdin,
    heartbeatMs,
    keepMs,
    context: callOf(context, log),
    start: starter(served, wire, { name, container }),
    onForgotten: () => execs.delete(wire.execId),
  });
  execs.set(wire.execId, exec);
  return exec;
}

function starter(
  { environments }: Served,
  wire: ExecStart,
  { name, container }: { readonly name: string; readonly container: string },
): ServedExecOptions['start'] {
  if (wire.runEntrypoint) {
    const step = environments.get(name).containers.get(container);
    if (step?.kind !== 'step') throw new BackendError('not_found', 'there is no such container of a step');
    return (io, ctx) => step.container.run(io, ctx);
  }
  const target = environments.target(name, container);
  const [program = '', ...rest] = wire.argv;
  const request: Omit<ContractRequest, 'stdout' | 'stderr'> = {
    argv: [program, ...rest],
    env: wire.env,
    cwd: wire.cwd,
    ...(wire.user === undefined ? {} : { user: wire.user }),
    ...(wire.tty === undefined ? {} : { tty: { columns: wire.tty.columns, rows: wire.tty.rows } }),
    ...(wire.stop.length === 0
      ? {}
      : {
          stop: wire.stop.map(({ signal, grace }) => ({
            signal,
            graceMs: grace === undefined ? 0 : durationMs(grace),
          })),
        }),
  };
  return (io, ctx) => target.exec({ ...request, ...io }, ctx);
}

/** Until the runner says no more, or is gone. */
async function takeInput(exec: ServedExec, messages: AsyncIterator<ExecRequest>): Promise<void> {
  for (let next = await messages.next(); next.done !== true; next = await messages.next()) {
    const { input } = next.value;
    if (input.case === 'stdin') exec.write(input.value);
    else if (input.case === 'stdinEof') exec.closeStdin();
    else if (input.case === 'consumed') exec.consume(Number(input.value));
    else if (input.case === 'signal') await exec.signal(input.value);
    else if (input.case === 'resize') await exec.resize({ columns: input.value.columns, rows: input.value.rows });
    else if (input.case === 'stop') exec.stop();
    else throw new BackendError('plan', `expected no ${input.case ?? 'empty message'} in the midst of an exec`);
  }
}
