import type { Duplex } from 'node:stream';
import { BackendError, type ExecRequest, isBackendError } from '@forgejo-runner/core';
import { feedInput } from '@forgejo-runner/kit';
import { demux } from './demux.ts';

/** The streams of a process in a container, on their way. */
export class ExecStreams {
  /** Resolves when the output has ended and was taken, or cannot be read any more: see {@link ExecStreams.broken}. */
  readonly ended: Promise<void>;
  /** Resolves when a sink or the input fails. */
  readonly failed: Promise<void>;
  readonly #failed = Promise.withResolvers<void>();
  readonly #hasTty: boolean;
  #failure: { readonly error: unknown } | undefined;
  #broken: unknown;

  constructor(
    stream: Duplex,
    { request, sinks }: { readonly request: ExecRequest; readonly sinks: Pick<ExecRequest, 'stdout' | 'stderr'> },
  ) {
    this.failed = this.#failed.promise;
    this.#hasTty = request.tty !== undefined;
    this.ended = this.#deliver(stream, sinks);
    if (request.stdin === undefined) return;
    feedInput(stream, request.stdin, this.ended).catch((error: unknown) => this.#fail(error));
  }

  /** Why the output could not be read to its end; undefined where it was. */
  get broken(): unknown {
    return this.#broken;
  }

  throwFailure({ argv }: ExecRequest): void {
    if (this.#failure === undefined) return;
    const { error } = this.#failure;
    if (isBackendError(error)) throw error;
    const text = `cannot take the output or give the input of "${argv[0]}"`;
    throw new BackendError('internal', `${text}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }

  #fail(error: unknown): void {
    this.#failure ??= { error };
    this.#failed.resolve();
  }

  async #deliver(stream: Duplex, { stdout, stderr }: Pick<ExecRequest, 'stdout' | 'stderr'>): Promise<void> {
    let isTaking = false;
    try {
      for await (const { source, payload } of this.#pieces(stream)) {
        isTaking = true;
        await (source === 'stderr' ? stderr : stdout)(payload);
        isTaking = false;
      }
    } catch (error) {
      if (isTaking) this.#fail(error);
      else this.#broken = error;
    }
  }

  async *#pieces(stream: Duplex): ReturnType<typeof demux> {
    if (!this.#hasTty) {
      yield* demux(stream);
      return;
    }
    // A socket gives bytes.
    for await (const payload of stream as AsyncIterable<Uint8Array>) yield { source: 'stdout', payload };
  }
}
