import { type CallContext, isBackendError, type Logger, type RemoveReport } from '@forgejo-runner/core';
import { answerOf } from './answer-of.ts';
import { messageOf } from './backend-errors.ts';
import { openCall } from './call-context.ts';

/** What a backend made and has to remove: an environment, or something in it. */
export interface Removable {
  readonly id: string;
  readonly remove: (ctx: CallContext) => Promise<RemoveReport>;
}

/** Removing gets its own time, whatever became of the job. */
const removeMs = 2 * 60_000;
/** When somebody cannot wait, the next sweep removes what takes longer. */
const hurriedMs = 10_000;

/**
 * Removes what was made, the last first, each with a context of its own that is never the job's. Never rejects: what
 * could not be removed is logged, and left to the next sweep.
 */
export async function removeAll(
  made: readonly Removable[],
  runtime: { readonly log: Logger; readonly hurry?: AbortSignal },
): Promise<void> {
  const { log, hurry } = runtime;
  const never = new AbortController();
  for (const one of made.toReversed()) {
    using ctx = openCall({ signal: never.signal, timeoutMs: hurry?.aborted === true ? hurriedMs : removeMs, log });
    try {
      const report = await answerOf(one.remove(ctx), ctx.signal);
      for (const { resource, error } of report.leaked)
        log.warn('could not be removed, left to the next sweep', { resource, error });
    } catch (error) {
      // Gone already is as good as removed.
      if (isBackendError(error) && error.code === 'not_found') continue;
      log.error('removing failed, left to the next sweep', { resource: one.id, error: messageOf(error) });
    }
  }
}
