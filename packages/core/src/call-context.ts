import type { Str } from './open-union.ts';

/**
 * Takes a piece of output. What it returns is awaited before the next piece is offered: that is the back-pressure,
 * all the way to the process that writes. Chunks may break lines and UTF-8 sequences anywhere.
 */
export type OutputSink = (chunk: Uint8Array) => void | PromiseLike<void>;

/** The process log of the runner, for its administrator. Secrets are redacted by the runner. */
export interface Logger {
  readonly debug: (msg: string, fields?: object) => void;
  readonly info: (msg: string, fields?: object) => void;
  readonly warn: (msg: string, fields?: object) => void;
  readonly error: (msg: string, fields?: object) => void;
}

/** What comes with every call across the contract. Made anew for each call and never kept after it. */
export interface CallContext {
  /** Aborts when a user cancels, a time limit passes or the runner shuts down. */
  readonly signal: AbortSignal;
  /** When `signal` will abort by itself, in milliseconds since the epoch. */
  readonly deadline: number;
  readonly log: Logger;
  /** Progress for the reader of the job log, under "Set up job". The runner masks it. */
  readonly progress: OutputSink;
  readonly emit: (event: BackendEvent) => void;
  /** Trace context of the caller, as in W3C Trace Context. */
  readonly traceparent?: string;
}

/** Something that happened inside a backend, for metrics and traces. Attributes carry ids only, never values of a job. */
export interface BackendEvent {
  readonly type: Str<
    | 'phase'
    | 'image.pull'
    | 'image.build'
    | 'capacity.wait'
    | 'service.health'
    | 'exec.start'
    | 'exec.end'
    | 'resource.created'
    | 'resource.removed'
  >;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly environment?: string;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
}
