/** Waits `ms` milliseconds, or until one of the signals aborts. Never rejects. */
export async function pause(ms: number, ...signals: readonly AbortSignal[]): Promise<void> {
  if (ms <= 0 || signals.some((signal) => signal.aborted)) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  for (const signal of signals) signal.addEventListener('abort', onAbort);
  await promise;
  clearTimeout(timer);
  for (const signal of signals) signal.removeEventListener('abort', onAbort);

  function onAbort(): void {
    resolve();
  }
}
