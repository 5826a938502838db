/** How long the other side of a connection may take, in milliseconds. Tests make them shorter. */
export interface Limits {
  /** To accept a connection. */
  readonly connectMs: number;
  /** To answer what needs no work: a description, a state, the first message of a stream, the removal of nothing. */
  readonly answerMs: number;
  /** To remove an environment. */
  readonly removeMs: number;
  /** Between two messages of a running exec; servers send one a minute. */
  readonly silentMs: number;
  /** An exec whose connection was lost is looked for so long. */
  readonly resumeMs: number;
  /** Over what the stages of a stop add up to. */
  readonly stopMs: number;
  /** From the last message of a stream to its end. */
  readonly endMs: number;
}

/** The limits of a runner. */
export const defaultLimits: Limits = {
  connectMs: 10_000,
  answerMs: 30_000,
  removeMs: 120_000,
  silentMs: 180_000,
  resumeMs: 10_000,
  stopMs: 10_000,
  endMs: 10_000,
};

/** Data in one message where the server names no size. */
export const defaultChunkBytes: number = 256 * 1024;

/** The largest size that a server may name, so that the limit of stock servers, 4 MiB, needs no tuning. */
export const largestChunkBytes: number = 4 * 1024 * 1024 - 64 * 1024;

/** Output of an exec that may be under way. */
export const windowBytes: number = 1024 * 1024;
