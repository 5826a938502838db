import type { ErrorCode } from './error-codes.ts';

/** The steps of a build, in the order in which they start. */
export type StepId =
  | 'resolve'
  | 'vendor'
  | 'check'
  | 'entry'
  | 'bundle'
  | 'package'
  | 'conformance'
  | 'smoke'
  | 'image'
  | 'write';

/** What a step is doing, in words. */
export const stepTitles: Readonly<Record<StepId, string>> = {
  resolve: 'Resolve packages',
  vendor: 'Write tarballs of all packages',
  check: 'Check types against the API',
  entry: 'Write the entry',
  bundle: 'Bundle',
  package: 'Make executables',
  conformance: 'Put the backends through the conformance suite',
  smoke: 'Start the result in an empty environment',
  image: 'Make an image',
  write: 'Write the output',
};

/** What happens during a build, as the command prints it and `--log-format json` writes it, a line each. */
export type BuildEvent =
  | { readonly event: 'step-started'; readonly step: StepId }
  | { readonly event: 'step-finished'; readonly step: StepId; readonly ms: number; readonly detail: string }
  | { readonly event: 'step-failed'; readonly step: StepId; readonly ms: number }
  | { readonly event: 'warning'; readonly code: ErrorCode; readonly message: string; readonly next: string }
  | { readonly event: 'note'; readonly message: string }
  /** The output is what this build would make: nothing is done. */
  | { readonly event: 'unchanged'; readonly output: string };

/** Takes events as they happen. Must not throw. */
export type EventSink = (event: BuildEvent) => void;

/** Runs one step and reports its beginning, its end and its time. `work` returns its result and a few words on it. */
export async function runStep<T>(
  step: StepId,
  emit: EventSink,
  work: () => Promise<{ readonly result: T; readonly detail: string }>,
): Promise<T> {
  const start = performance.now();
  emit({ event: 'step-started', step });
  try {
    const { result, detail } = await work();
    emit({ event: 'step-finished', step, ms: Math.round(performance.now() - start), detail });
    return result;
  } catch (error) {
    emit({ event: 'step-failed', step, ms: Math.round(performance.now() - start) });
    throw error;
  }
}
