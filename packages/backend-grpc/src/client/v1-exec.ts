import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { MessageInitShape } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import {
  BackendError,
  type CallContext,
  defaultStop,
  type ExecHandle,
  type ExecIo,
  type ExecRequest as ContractRequest,
  type ExecResult,
  type OutputSink,
  type StopStage,
} from '@forgejo-runner/core';
import {
  type ExecEnd,
  type ExecRequestSchema,
  type ExecResponse,
  type ExecStarted,
  type ExecStartSchema,
  Stream,
} from '../gen/forgejo/runner/backend/v1/backend_pb.ts';
import { windowBytes } from '../limits.ts';
import { MessageQueue } from '../message-queue.ts';
import { errorOfStatus, isConnectionLoss, plain } from '../platform-errors.ts';
import type { Connection } from './connection.ts';
import { StdinFeed } from './stdin-feed.ts';

type Input = MessageInitShape<typeof ExecRequestSchema>;

/** The process to start, without what each exec has of its own. */
type Start = Omit<
  MessageInitShape<typeof ExecStartSchema>,
  'execId' | 'hasStdin' | 'windowBytes' | 'stop' | '$typeName'
>;

/** Where execs of one target run. */
export interface ExecPlace {
  readonly connection: Connection;
  readonly ref: { readonly environment: string; readonly container: string };
  /** Why there is nothing to run on any more. */
  readonly lost: () => string | undefined;
  readonly hasSignals: boolean;
}

/** The start of a process in a target. */
export function startOf(place: ExecPlace, { argv, env, cwd, user, tty }: ContractRequest): Start {
  return {
    target: place.ref,
    argv: [...argv],
    env: { ...env },
    cwd,
    ...(user === undefined ? {} : { user }),
    ...(tty === undefined ? {} : { tty: { ...tty } }),
  };
}

/** Runs a process on the other side. */
export function runExec(
  place: ExecPlace,
  start: Start,
  io: ExecIo & { readonly stop?: readonly StopStage[] },
  ctx: CallContext,
): ExecHandle {
  const exec = new RemoteExec(place, start, io, ctx);
  const result = exec.run();
  return {
    result,
    ...(place.hasSignals ? { signal: async (name) => exec.send({ input: { case: 'signal', value: name } }) } : {}),
    ...(start.tty === undefined
      ? {}
      : { resize: async (size) => exec.send({ input: { case: 'resize', value: { ...size } } }) }),
  };
}

/** How one connection of an exec ended. */
type Attempt =
  | { readonly kind: 'ended'; readonly result: ExecResult }
  | { readonly kind: 'cut'; readonly error: unknown };

class RemoteExec {
  readonly #place: ExecPlace;
  readonly #start: Start;
  readonly #io: ExecIo;
  readonly #stages: readonly StopStage[];
  readonly #ctx: CallContext;
  readonly #id: string = randomUUID();
  #queue = new MessageQueue<Input>();
  #call = new AbortController();
  #started: ExecStarted | undefined;
  #stdin: StdinFeed | undefined;
  #received = 0;
  #consumed = 0;
  #told = 0;
  #delivery: Promise<void> = Promise.resolve();
  #sinkFailure: { readonly error: unknown } | undefined;
  #isStopping = false;
  #isOver = false;
  /** Why we gave the call up. */
  #givenUp: BackendError | undefined;
  #stopTimer: NodeJS.Timeout | undefined;

  constructor(place: ExecPlace, start: Start, io: ExecIo & { readonly stop?: readonly StopStage[] }, ctx: CallContext) {
    this.#place = place;
    this.#start = start;
    this.#io = io;
    this.#stages = io.stop ?? defaultStop;
    this.#ctx = ctx;
  }

  /** Adds a message for the process; one that ended takes none. */
  readonly send = (message: Input): void => {
    if (!this.#isOver) void this.#queue.push(message);
  };

  async run(): Promise<ExecResult> {
    const { signal } = this.#ctx;
    if (signal.aborted) return { kind: 'stopped', survivors: 0 };
    const gone = this.#place.lost();
    if (gone !== undefined) throw new BackendError('lost', gone);
    signal.addEventListener('abort', this.#stop);
    try {
      const result = await this.#follow();
      await this.#delivery;
      if (this.#sinkFailure !== undefined) throw this.#sinkFailure.error;
      return result;
    } finally {
      this.#isOver = true;
      signal.removeEventListener('abort', this.#stop);
      clearTimeout(this.#stopTimer);
      this.#stdin?.end();
      this.#queue.drop();
      this.#call.abort();
    }
  }

  /** Through as many connections as it takes, while the other side keeps the exec. */
  async #follow(): Promise<ExecResult> {
    const { name, limits } = this.#place.connection;
    const hasStdin = this.#io.stdin !== undefined;
    const stop = this.#stages.map(({ signal, graceMs }) => ({ signal, grace: durationFromMs(graceMs) }));
    const start = { ...this.#start, execId: this.#id, hasStdin, windowBytes: BigInt(windowBytes), stop };
    let attempt = await this.#attempt({ input: { case: 'start', value: start } });
    let [until, seen] = [0, -1];
    while (attempt.kind === 'cut') {
      if (this.#sinkFailure !== undefined) throw this.#sinkFailure.error;
      if (this.#givenUp !== undefined) throw this.#givenUp;
      const lost = errorOfStatus(attempt.error, `an exec at ${name} was lost`);
      const canResume = this.#started?.resumable === true && isConnectionLoss(attempt.error);
      if (seen !== this.#received) [until, seen] = [performance.now() + limits.resumeMs, this.#received];
      if (!canResume || performance.now() >= until) throw asLost(lost);
      await pause(200);
      const value = { target: this.#place.ref, execId: this.#id, offset: BigInt(this.#received) };
      attempt = await this.#attempt({ input: { case: 'resume', value } });
    }
    return attempt.result;
  }

  async #attempt(first: Input): Promise<Attempt> {
    const { client, limits } = this.#place.connection;
    this.#queue.drop();
    this.#queue = new MessageQueue<Input>();
    this.#call = new AbortController();
    void this.#queue.push(first);
    if (this.#isStopping) void this.#queue.push({ input: { case: 'stop', value: true } });
    const call = this.#call;
    const isFirst = this.#started === undefined;
    const silence = setTimeout(() => {
      const { name } = this.#place.connection;
      this.#giveUp(
        new BackendError('lost', `an exec at ${name} was lost: it has said nothing for ${limits.silentMs / 1000} s`),
      );
    }, limits.silentMs);
    const mute = isFirst ? setTimeout(this.#notStarted, limits.answerMs) : undefined;
    try {
      const messages = client.exec(this.#queue, { signal: call.signal })[Symbol.asyncIterator]();
      for (let next = await messages.next(); next.done !== true; next = await messages.next()) {
        silence.refresh();
        clearTimeout(mute);
        const end = this.#take(next.value);
        if (end === undefined) continue;
        await this.#expectEnd(messages);
        return { kind: 'ended', result: end };
      }
      return {
        kind: 'cut',
        error: new BackendError(
          'lost',
          `an exec at ${this.#place.connection.name} was lost: the stream ended before the exec did`,
        ),
      };
    } catch (error) {
      return { kind: 'cut', error };
    } finally {
      clearTimeout(silence);
      clearTimeout(mute);
    }
  }

  readonly #notStarted = (): void => {
    const { name, limits } = this.#place.connection;
    this.#giveUp(
      new BackendError('lost', `an exec at ${name} was lost: it was not started within ${limits.answerMs / 1000} s`),
    );
  };

  #giveUp(error: BackendError): void {
    this.#givenUp ??= error;
    this.#call.abort(error);
  }

  /** The result, once it is there. @throws BackendError `internal` for what nobody may send. */
  #take({ output }: ExecResponse): ExecResult | undefined {
    if (output.case === 'started') this.#begin(output.value);
    else if (this.#started === undefined) throw this.#broken('sent something before it said that an exec was started');
    else if (output.case === 'data') this.#data(output.value);
    else if (output.case === 'stdinTaken') this.#stdin?.taken(Number(output.value));
    else if (output.case === 'end') return this.#resultOf(output.value);
    // What a later minor version adds is none of ours.
    return undefined;
  }

  #begin(started: ExecStarted): void {
    if (started.execId !== this.#id) throw this.#broken('answered for another exec than it was asked for');
    const isFirst = this.#started === undefined;
    this.#started = started;
    const { stdin } = this.#io;
    if (!isFirst || stdin === undefined) return;
    this.#stdin = new StdinFeed(stdin, {
      chunkBytes: this.#place.connection.chunkBytes,
      windowBytes: Number(started.stdinWindowBytes),
      send: (chunk) => this.#queue.push({ input: { case: 'stdin', value: chunk } }),
      onEnd: () => this.send({ input: { case: 'stdinEof', value: true } }),
      onFailure: this.#failed,
    });
  }

  #data({
    stream,
    data,
    offset,
  }: {
    readonly stream: Stream;
    readonly data: Uint8Array;
    readonly offset: bigint;
  }): void {
    if (data.length === 0) return;
    // After a cut the other side may begin earlier than it was asked to.
    const skip = this.#received - Number(offset);
    if (skip < 0) throw this.#broken(`left out ${-skip} bytes of output`);
    const fresh = data.subarray(skip);
    if (fresh.length === 0) return;
    this.#received += fresh.length;
    if (this.#received - this.#consumed > windowBytes + 4 * 1024 * 1024) {
      throw this.#broken('sent more output than it was allowed to');
    }
    const sink = stream === Stream.STDERR ? this.#io.stderr : this.#io.stdout;
    this.#delivery = this.#deliver(this.#delivery, sink, fresh);
  }

  /** One piece after the other, each only when the one before was taken. Never rejects. */
  async #deliver(before: Promise<void>, sink: OutputSink, piece: Uint8Array): Promise<void> {
    await before;
    try {
      if (this.#sinkFailure === undefined) await sink(piece);
    } catch (error) {
      this.#failed(error);
    }
    this.#consumed += piece.length;
    if (this.#consumed - this.#told < windowBytes / 4) return;
    this.#told = this.#consumed;
    this.send({ input: { case: 'consumed', value: BigInt(this.#consumed) } });
  }

  readonly #failed = (error: unknown): void => {
    this.#sinkFailure ??= { error };
    this.#stop();
  };

  readonly #stop = (): void => {
    if (this.#isStopping || this.#isOver) return;
    this.#isStopping = true;
    this.send({ input: { case: 'stop', value: true } });
    const { name, limits } = this.#place.connection;
    const limitMs = this.#stages.reduce((sum, { graceMs }) => sum + graceMs, 0) + limits.stopMs;
    this.#stopTimer = setTimeout(() => {
      this.#giveUp(new BackendError('lost', `an exec at ${name} was lost: it did not stop within ${limitMs / 1000} s`));
    }, limitMs);
  };

  async #expectEnd(messages: AsyncIterator<ExecResponse>): Promise<void> {
    const call = this.#call;
    const timer = setTimeout(() => call.abort(), this.#place.connection.limits.endMs);
    try {
      const more = await messages.next().catch(() => undefined);
      // A connection that breaks now takes nothing away.
      if (more === undefined || more.done === true) return;
    } finally {
      clearTimeout(timer);
    }
    throw this.#broken('sent something after the end of an exec');
  }

  #resultOf({ how, oomKilled, coreDumped }: ExecEnd): ExecResult {
    const oom = oomKilled ? { oomKilled } : {};
    if (how.case === 'exited') return { kind: 'exited', code: how.value, ...oom };
    if (how.case === 'signaled') {
      return { kind: 'signaled', signal: plain(how.value), ...(coreDumped ? { coreDumped } : {}), ...oom };
    }
    if (how.case === 'stoppedSurvivors' && this.#isStopping) return { kind: 'stopped', survivors: how.value };
    throw this.#broken('ended an exec without saying how');
  }

  #broken(what: string): BackendError {
    const error = new BackendError('internal', `${this.#place.connection.name} ${what}: it breaks the protocol`);
    this.#givenUp ??= error;
    this.#call.abort();
    return error;
  }
}

/** Whatever the connection died of: how the process ended nobody knows. */
function asLost(error: BackendError): BackendError {
  if (!['unavailable', 'not_found', 'timeout', 'cancelled'].includes(error.code)) return error;
  return new BackendError('lost', error.message, { ...error.details, cause: error });
}
