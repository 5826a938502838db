import type { BackendEvent, CallContext, Logger, OutputSink } from '@forgejo-runner/core';
import { startTimeLimit } from './time-limit.ts';

/** What a call to a backend is made with. */
export interface CallOptions {
  readonly signal: AbortSignal;
  /** Limit of this call in milliseconds; the signal of the call aborts with it. */
  readonly timeoutMs: number;
  readonly log: Logger;
  readonly progress?: OutputSink;
  readonly emit?: (event: BackendEvent) => void;
}

/**
 * Makes the context of one call across the contract. Dispose it after the call: a deadline of hours must not keep the
 * process alive.
 */
export function openCall(options: CallOptions): CallContext & Disposable {
  const deadline = new AbortController();
  const limit = startTimeLimit(options.timeoutMs, () =>
    deadline.abort(new DOMException(`no answer within ${options.timeoutMs} ms`, 'TimeoutError')),
  );
  return {
    signal: AbortSignal.any([options.signal, deadline.signal]),
    deadline: Date.now() + options.timeoutMs,
    log: options.log,
    progress: options.progress ?? ignore,
    emit: options.emit ?? ignore,
    [Symbol.dispose]: () => limit[Symbol.dispose](),
  };
}

function ignore(): void {}
