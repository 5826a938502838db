/** How {@link eventually} waits. */
export interface EventuallyOptions {
  /** After this the last failure is thrown. Default 10 000. */
  readonly timeoutMs?: number;
  /** Between two looks. Default 20. */
  readonly intervalMs?: number;
  /** What is waited for, for the message. */
  readonly what?: string;
}

/** A probe that gives nothing is none: `expect(x).toBe(y)` returns nothing, so that waiting for it never ends well. */
export type Look<T> = [T] extends [never]
  ? unknown
  : 0 extends 1 & T
    ? unknown
    : [T] extends [void]
      ? 'return what was found, or whether it was'
      : unknown;

/**
 * Waits until `probe` returns something truthy and returns that; a rejection counts as "not yet". For tests: it replaces
 * every fixed sleep.
 *
 * ```ts
 * const pid = await eventually(() => readPid(file), { what: 'the pid file' });
 * ```
 *
 * @throws Error that says what was waited for, how long, and the last failure as `cause`.
 */
export async function eventually<T>(
  probe: (() => T | PromiseLike<T>) & Look<T>,
  options: EventuallyOptions = {},
): Promise<Exclude<T, false | null | undefined | '' | 0>> {
  const timeoutMs = options.timeoutMs ?? 10_000;
  const until = performance.now() + timeoutMs;
  let failure: unknown;
  for (;;) {
    try {
      const value = await probe();
      // Truthy values are exactly what the return type leaves of `T`.
      if (value) return value as Exclude<T, false | null | undefined | '' | 0>;
      failure = undefined;
    } catch (error) {
      failure = error;
    }
    if (performance.now() >= until) break;
    await new Promise((resolve) => setTimeout(resolve, options.intervalMs ?? 20));
  }
  throw new Error(`expected ${options.what ?? 'the condition'} within ${timeoutMs} ms, found it still missing`, {
    cause: failure,
  });
}
