/** Longer timers fire at once in Node. */
const maxTimerMs = 2 ** 31 - 1;

/** Calls `onEnd` once, after a time of any length, unless it is disposed before. */
export function startTimeLimit(ms: number, onEnd: () => void): Disposable {
  let leftMs = ms;
  let timer: NodeJS.Timeout;
  const wait = (): void => {
    const nextMs = Math.min(leftMs, maxTimerMs);
    leftMs -= nextMs;
    timer = setTimeout(() => (leftMs > 0 ? wait() : onEnd()), nextMs);
  };
  wait();
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}
