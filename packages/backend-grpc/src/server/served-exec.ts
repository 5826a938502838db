import type { MessageInitShape } from '@bufbuild/protobuf';
import { BackendError, type CallContext, type ExecHandle, type ExecIo, type ExecResult } from '@forgejo-runner/core';
import { type ExecResponseSchema, Stream } from '../gen/forgejo/runner/backend/v1/backend_pb.ts';
import { MessageQueue } from '../message-queue.ts';

type Response = MessageInitShape<typeof ExecResponseSchema>;

/** What an exec is served with. */
export interface ServedExecOptions {
  readonly id: string;
  /** Output that may be sent beyond what was consumed; 0 for a runner that does not tell what it consumes. */
  readonly windowBytes: number;
  readonly chunkBytes: number;
  readonly hasStdin: boolean;
  /** Between two signs of life of a silent exec. */
  readonly heartbeatMs: number;
  /** How long it is kept when its connection is lost, and for one that asks again how it ended. */
  readonly keepMs: number;
  readonly context: Pick<CallContext, 'deadline' | 'log' | 'emit'>;
  readonly start: (io: ExecIo, ctx: CallContext) => ExecHandle;
  /** Called once nobody can ask for it any more. */
  readonly onForgotten: () => void;
}

interface Piece {
  readonly stream: Stream;
  readonly data: Uint8Array;
  readonly offset: number;
}

/** Input that may be under way to a process. */
export const stdinWindowBytes: number = 1024 * 1024;
/** Output that is kept for a runner that does not tell what it consumes. */
const unboundWindowBytes = 1024 * 1024;

/**
 * One process behind the wire. It lives on when its connection is lost, keeps the output that was not consumed, and is
 * stopped when nobody comes back for it.
 */
export class ServedExec {
  readonly id: string;
  readonly isResumable: boolean;
  readonly stdinWindowBytes: number;
  readonly #options: ServedExecOptions;
  readonly #stop = new AbortController();
  readonly #stdin = new MessageQueue<Uint8Array>();
  readonly #handle: ExecHandle;
  /** Output that was produced and not consumed, in order. */
  #pieces: Piece[] = [];
  /** How many pieces went before the first of them. */
  #gone = 0;
  #isForgotten = false;
  #produced = 0;
  #consumed = 0;
  #stdinTaken = 0;
  #end: Response['output'] | undefined;
  #failure: unknown;
  #readers = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #wakeReaders = new Set<() => void>();
  readonly #wakeWriters = new Set<() => void>();

  constructor(options: ServedExecOptions) {
    this.#options = options;
    this.id = options.id;
    this.isResumable = options.windowBytes > 0 && !options.hasStdin;
    this.stdinWindowBytes = options.hasStdin ? stdinWindowBytes : 0;
    const io: ExecIo = {
      stdout: (chunk) => this.#produce(Stream.STDOUT, chunk),
      stderr: (chunk) => this.#produce(Stream.STDERR, chunk),
      ...(options.hasStdin ? { stdin: this.#input() } : {}),
    };
    const ctx: CallContext = { ...options.context, signal: this.#stop.signal, progress: () => {} };
    this.#handle = options.start(io, ctx);
    this.#handle.result.then(
      (result) => this.#finish({ case: 'end', value: endToWire(result) }),
      (error: unknown) => {
        this.#failure = error;
        this.#finish(undefined);
      },
    );
  }

  /** Ends it by its stages. */
  readonly stop = (): void => this.#stop.abort();

  /** Resolves when it ended, however. */
  readonly ended = async (): Promise<void> => {
    await this.#handle.result.catch(() => {});
  };

  readonly consume = (total: number): void => {
    this.#consumed = Math.max(this.#consumed, Math.min(total, this.#produced));
    const kept = this.#pieces.findIndex(({ offset, data }) => offset + data.length > this.#consumed);
    this.#gone += this.#pieces.splice(0, kept < 0 ? this.#pieces.length : kept).length;
    wake(this.#wakeWriters);
  };

  readonly write = (chunk: Uint8Array): void => void this.#stdin.push(chunk);

  readonly closeStdin = (): void => this.#stdin.close();

  readonly signal = async (name: string): Promise<void> => {
    if (this.#isOver) return;
    const { signal } = this.#handle;
    if (signal === undefined) throw new BackendError('unsupported', 'this label takes no signals');
    await signal(name);
  };

  readonly resize = async (size: { readonly columns: number; readonly rows: number }): Promise<void> => {
    await this.#handle.resize?.(size);
  };

  /** Sends what comes from an offset on, to the end. Breaking it off is a connection that was lost. */
  async *read(from: number, detached: AbortSignal): AsyncGenerator<Response, void, undefined> {
    this.#attach();
    const onDetached = (): void => wake(this.#wakeReaders);
    detached.addEventListener('abort', onDetached);
    try {
      yield* this.#follow(from, detached);
    } finally {
      detached.removeEventListener('abort', onDetached);
      this.#detach();
    }
  }

  async *#follow(from: number, detached: AbortSignal): AsyncGenerator<Response, void, undefined> {
    let [at, taken] = [from, 0];
    if (at > this.#produced || at < this.#consumed) throw new BackendError('lost', `output at ${at} is not kept`);
    const first = this.#pieces.findIndex(({ offset, data }) => offset + data.length > at);
    let next = this.#gone + (first < 0 ? this.#pieces.length : first);
    while (!detached.aborted) {
      const piece = this.#gather(Math.max(next, this.#gone));
      if (piece !== undefined) {
        next = piece.next;
        const data = piece.data.subarray(at - piece.offset);
        yield { output: { case: 'data', value: { stream: piece.stream, data, offset: BigInt(at) } } };
        at += data.length;
        if (this.#options.windowBytes === 0) this.consume(at);
      } else if (this.#stdinTaken > taken) {
        taken = this.#stdinTaken;
        yield { output: { case: 'stdinTaken', value: BigInt(taken) } };
      } else if (this.#isOver) {
        if (this.#end === undefined) throw this.#failure;
        yield { output: this.#end };
        return;
      } else if ((await this.#change()) === 'silent') {
        yield { output: { case: 'data', value: { stream: Stream.STDOUT, offset: BigInt(at) } } };
      }
    }
  }

  /** As many pieces of one stream as a message holds: many small ones cost more than their bytes. */
  #gather(from: number): (Piece & { readonly next: number }) | undefined {
    const at = from - this.#gone;
    const piece = this.#pieces[at];
    if (piece === undefined) return undefined;
    let [size, end] = [piece.data.length, at + 1];
    for (; end < this.#pieces.length; end += 1) {
      const more = this.#pieces[end];
      if (more === undefined || more.stream !== piece.stream || size + more.data.length > this.#options.chunkBytes)
        break;
      size += more.data.length;
    }
    const next = this.#gone + end;
    if (end === at + 1) return { ...piece, next };
    return {
      ...piece,
      data: Buffer.concat(
        this.#pieces.slice(at, end).map(({ data }) => data),
        size,
      ),
      next,
    };
  }

  get #isOver(): boolean {
    return this.#end !== undefined || this.#failure !== undefined;
  }

  async #change(): Promise<'changed' | 'silent'> {
    const { promise, resolve } = Promise.withResolvers<'changed' | 'silent'>();
    const onChange = (): void => resolve('changed');
    this.#wakeReaders.add(onChange);
    const timer = setTimeout(() => resolve('silent'), this.#options.heartbeatMs);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#wakeReaders.delete(onChange);
    }
  }

  async #produce(stream: Stream, chunk: Uint8Array): Promise<void> {
    const { windowBytes, chunkBytes } = this.#options;
    const window = windowBytes === 0 ? unboundWindowBytes : windowBytes;
    const size = Math.min(chunkBytes, window);
    for (let at = 0; at < chunk.length; at += size) {
      const part = chunk.subarray(at, at + size);
      while (this.#produced + part.length > this.#consumed + window && !this.#isForgotten) {
        await new Promise<void>((resolve) => this.#wakeWriters.add(resolve));
      }
      // Nobody reads it, and the process has to end.
      if (this.#isForgotten) return;
      // The backend may use its buffer again as soon as we return.
      this.#pieces.push({ stream, data: part.slice(), offset: this.#produced });
      this.#produced += part.length;
      wake(this.#wakeReaders);
    }
  }

  async *#input(): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of this.#stdin) {
      yield chunk;
      // Asked for the next one: this one is with the process.
      this.#stdinTaken += chunk.length;
      wake(this.#wakeReaders);
    }
  }

  #finish(end: Response['output']): void {
    this.#end = end;
    this.#stdin.drop();
    wake(this.#wakeReaders);
    if (this.#readers === 0) this.#detach();
  }

  #attach(): void {
    this.#readers += 1;
    clearTimeout(this.#timer);
  }

  #detach(): void {
    this.#readers = Math.max(0, this.#readers - 1);
    if (this.#readers > 0) return;
    clearTimeout(this.#timer);
    if (!this.isResumable) this.stop();
    this.#timer = setTimeout(() => {
      this.stop();
      this.#isForgotten = true;
      this.#pieces = [];
      wake(this.#wakeWriters);
      this.#options.onForgotten();
    }, this.#options.keepMs).unref();
  }
}

function wake(all: Set<() => void>): void {
  const waiting = [...all];
  all.clear();
  for (const one of waiting) one();
}

function endToWire(
  result: ExecResult,
): NonNullable<Extract<NonNullable<Response['output']>, { case: 'end' }>['value']> {
  const oomKilled = result.kind !== 'stopped' && result.oomKilled === true;
  if (result.kind === 'exited') return { how: { case: 'exited', value: result.code }, oomKilled };
  if (result.kind === 'stopped') return { how: { case: 'stoppedSurvivors', value: result.survivors } };
  return {
    how: { case: 'signaled', value: result.signal },
    oomKilled,
    coreDumped: result.coreDumped === true,
  };
}
