import type { HandlerContext } from '@connectrpc/connect';
import type { CallContext, Logger, OutputSink } from '@forgejo-runner/core';

/** For a call whose runner named no deadline. */
const longestCallMs = 24 * 3_600_000;

/** The context of a call that came over the wire. */
export function callOf(
  context: HandlerContext,
  log: Logger,
  over: { readonly progress?: OutputSink; readonly signal?: AbortSignal } = {},
): CallContext {
  const traceparent = context.requestHeader.get('traceparent');
  return {
    signal: over.signal ?? context.signal,
    deadline: Date.now() + (context.timeoutMs() ?? longestCallMs),
    log,
    progress: over.progress ?? ((): void => {}),
    emit: (event) => log.debug('event of a backend', { ...event }),
    ...(traceparent === null ? {} : { traceparent }),
  };
}
