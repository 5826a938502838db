import { BackendError, type CallContext, isBackendError } from '@forgejo-runner/core';
import { engineError } from '../platform-errors.ts';

/** Is told of an answer that nobody may wait for any more. */
export type Making = (answer: Promise<unknown>) => void;

/** What is asked of an engine, for messages. */
export interface Question {
  /** Continues "cannot …", such as `start the container`. */
  readonly doing: string;
  /** Name of the object that it is about. */
  readonly resource?: string;
  /** Is told of the engine's answer, also when nobody waits for it any more: it may have made something. */
  readonly making?: Making;
}

/**
 * Asks an engine for something. It is never told to break off: whether it then did what it was asked for, nobody would
 * know. When the call is cancelled the answer is no longer waited for.
 *
 * @throws BackendError for what the engine answers; `cancelled` when the signal of `ctx` aborts.
 */
export async function askEngine<T>(
  question: Question,
  ctx: Pick<CallContext, 'signal'>,
  ask: () => Promise<T>,
): Promise<T> {
  const { doing, resource, making } = question;
  const { signal } = ctx;
  if (signal.aborted) throw cancelledBefore(question);
  const over = Promise.withResolvers<never>();
  const onAbort = (): void => over.reject(cancelledBefore(question));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const answer = ask();
    making?.(answer);
    return await Promise.race([answer, over.promise]);
  } catch (error) {
    if (isBackendError(error)) throw error;
    throw signal.aborted ? cancelledBefore(question) : engineError(error, doing, resource);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function cancelledBefore({ doing, resource }: Question): BackendError {
  const details = resource === undefined ? {} : { resource };
  return new BackendError('cancelled', `cancelled before the engine could ${doing}`, details);
}
