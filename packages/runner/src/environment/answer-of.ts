import { BackendError } from '@forgejo-runner/core';
import { startTimeLimit } from './time-limit.ts';

/** How long a call may take to end after its signal aborted. Source: backend contract, rule C13. */
const obeyMs = 60_000;

/**
 * Waits for a call across the contract to end. One that goes on although its signal aborted is given up after a minute,
 * so that no backend can hold up a job that was cancelled; what it still gives goes to `onLate`.
 *
 * @throws BackendError `timeout` for a call that was given up.
 */
export async function answerOf<T>(
  call: Promise<T>,
  signal: AbortSignal,
  onLate: (late: T) => void = () => {},
): Promise<T> {
  const givenUp = Promise.withResolvers<never>();
  let limit: Disposable | undefined;
  const onAbort = (): void => {
    limit = startTimeLimit(obeyMs, () =>
      givenUp.reject(
        new BackendError('timeout', `the backend did not answer within ${obeyMs / 1000} s after it was told to stop`),
      ),
    );
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([call, givenUp.promise]);
  } catch (error) {
    // Given up: the call itself has not ended. A call that failed gives nothing later.
    void call.then(onLate, () => {});
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    limit?.[Symbol.dispose]();
  }
}
