import { startTimeLimit } from '../environment/time-limit.ts';

/** Why a job was told to stop: somebody's wish, or a limit. */
export interface CancelReason {
  readonly kind: 'cancelled' | 'timeout';
  /** One sentence for the job log, without a full stop. */
  readonly text: string;
}

/** Reason of a signal that cancels a job because its runner stops: the reader of the log did not wish it. */
export class RunnerStops extends Error {
  override readonly name: string = 'RunnerStops';

  constructor() {
    super('the runner stops');
  }
}

/** The signals along which a job ends early. */
export interface JobSignals extends Disposable {
  /** Aborts when the job is cancelled or its time is over: the running step stops, and only such steps run that want to. */
  readonly cancel: AbortSignal;
  /** Aborts some minutes after `cancel`: the time in which a cancelled job still saves its cache and cleans up. */
  readonly grace: AbortSignal;
  /** Why `cancel` aborted, once it did. */
  readonly reason: () => CancelReason | undefined;
}

/** Time that steps with `always()` or `cancelled()` and post steps get after a cancellation, in milliseconds. */
export const defaultGraceMs: number = 5 * 60_000;

/** Opens the signals of one job. Disposing them stops the clocks. */
export function openJobSignals(limits: {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly graceMs: number;
  /** Ends the grace time at once. */
  readonly hurry?: AbortSignal;
}): JobSignals {
  const cancel = new AbortController();
  const grace = new AbortController();
  let reason: CancelReason | undefined;
  let graceLimit: Disposable | undefined;

  const end = (why: CancelReason): void => {
    if (reason !== undefined) return;
    reason = why;
    graceLimit = startTimeLimit(limits.graceMs, () => grace.abort());
    cancel.abort(why);
  };
  const onCancel = (): void => {
    const why = limits.signal.reason instanceof RunnerStops ? ', because the runner stops' : '';
    end({ kind: 'cancelled', text: `The job was cancelled${why}` });
  };
  const limit = startTimeLimit(limits.timeoutMs, () =>
    end({
      kind: 'timeout',
      text: `The job ran longer than its limit of ${minutesText(limits.timeoutMs)} and was cancelled`,
    }),
  );
  if (limits.signal.aborted) onCancel();
  else limits.signal.addEventListener('abort', onCancel, { once: true });

  return {
    cancel: cancel.signal,
    grace: limits.hurry === undefined ? grace.signal : AbortSignal.any([grace.signal, limits.hurry]),
    reason: () => reason,
    [Symbol.dispose]: () => {
      limit[Symbol.dispose]();
      graceLimit?.[Symbol.dispose]();
      limits.signal.removeEventListener('abort', onCancel);
    },
  };
}

/** A time limit in words. */
export function minutesText(ms: number): string {
  const minutes = Math.round(ms / 600) / 100;
  return minutes === 1 ? '1 minute' : `${minutes} minutes`;
}
