import type { Logger } from '@forgejo-runner/core';
import type { JobEnd } from './job-file.ts';
import type { LogSender } from './log-sender.ts';
import type { KeptSummaries } from './kept-summaries.ts';
import {
  type ReportChannel,
  type ReportFailure,
  reportFailure,
  type StepState,
  type TaskState,
} from './report-channel.ts';
import type { ReportClock } from './report-clock.ts';
import { nextOutputs } from './report-outputs.ts';
import { giveUpAfterMs, gonePatienceMs, type ReportRetry, retryDelayMs } from './report-settings.ts';

/** What became of the report of a job that ended. */
export type Delivery =
  /** The server has it. */
  | 'delivered'
  /** The server knows the task no more. */
  | 'refused'
  /** The server did not answer for a day. */
  | 'given-up'
  /** It goes on, or is left to the next start. */
  | 'pending';

/** A job that ended, and what its last report is made of. */
export interface FinalReportOptions {
  readonly taskId: string;
  readonly startedAtMs: number;
  readonly ended: JobEnd;
  readonly steps: readonly StepState[];
  /** What steps wrote to their summaries. */
  readonly summaries: Pick<KeptSummaries, 'steps' | 'read'>;
  readonly sender: LogSender;
  readonly channel: ReportChannel;
  readonly retry: ReportRetry;
  readonly clock: ReportClock;
  readonly log: Logger;
  /** Told after each attempt that failed, with how many there were in a row. */
  readonly onFailure?: (failures: number) => void;
}

/**
 * Brings a job to its end on the server: the rest of the log, what belongs to steps, outputs, and the result last, because
 * with it the tokens of the job and a runner for one job end. Tries until it is done, for a day at most. Never rejects.
 */
export async function sendFinalReport(options: FinalReportOptions, signal: AbortSignal): Promise<Delivery> {
  return new FinalReport(options).send(signal);
}

const logPatienceMs = 10 * 60_000;

class FinalReport {
  readonly #options: FinalReportOptions;
  readonly #summaries: number[];
  readonly #sent = new Set<string>();
  /** The server may have the result although no answer came. */
  #mayBeKnown = false;
  #failures = 0;
  #goneSinceMs: number | undefined;
  #logFailsSinceMs: number | undefined;
  #shown = '';

  constructor(options: FinalReportOptions) {
    this.#options = options;
    this.#summaries = [...options.summaries.steps];
  }

  async send(signal: AbortSignal): Promise<Delivery> {
    const { clock, retry, onFailure } = this.#options;
    while (!signal.aborted) {
      try {
        if (await this.#sendNext(signal)) return 'delivered';
        this.#failures = 0;
        this.#goneSinceMs = undefined;
      } catch (error) {
        if (signal.aborted) return 'pending';
        const failure = reportFailure(error);
        const end = this.#endAfter(failure);
        if (end !== undefined) return end;
        this.#failures += 1;
        onFailure?.(this.#failures);
        const patience = failure.retryAfterMs === undefined ? {} : { retryAfterMs: failure.retryAfterMs };
        await clock.wait(retryDelayMs(this.#failures, retry, patience), signal);
      }
    }
    return 'pending';
  }

  /** One request. Resolves with whether it was the last. */
  async #sendNext(signal: AbortSignal): Promise<boolean> {
    const { sender, ended } = this.#options;
    if (!sender.isClosed) {
      await this.#sendRows(signal);
      return false;
    }
    const stepIndex = this.#summaries[0];
    if (stepIndex !== undefined) {
      await this.#sendSummary(stepIndex, signal);
      return false;
    }
    const outputs = nextOutputs(ended.outputs, this.#sent);
    if (outputs.size > 0) {
      await this.#sendOutputs(outputs, signal);
      return false;
    }
    this.#mayBeKnown = true;
    await this.#options.channel.updateTask({ state: this.#state(true), outputs: new Map() }, signal);
    return true;
  }

  /**
   * A log that the server does not take, as when its own disk is full, must not cost the result: while the server takes
   * signs of life, the log gets some minutes.
   */
  async #sendRows(signal: AbortSignal): Promise<void> {
    const { sender, ended, channel, clock } = this.#options;
    try {
      await sender.send({ atMs: ended.stoppedAtMs, text: ended.closingRow }, signal);
      this.#logFailsSinceMs = undefined;
    } catch (error) {
      const sinceMs = this.#logFailsSinceMs ?? clock.elapsed();
      this.#logFailsSinceMs = undefined;
      await channel.updateTask({ state: this.#state(false), outputs: new Map() }, signal);
      this.#logFailsSinceMs = sinceMs;
      if (clock.elapsed() - sinceMs < logPatienceMs) throw error;
      sender.giveUp(reportFailure(error).message);
    }
  }

  async #sendSummary(stepIndex: number, signal: AbortSignal): Promise<void> {
    const { channel, taskId, log, summaries } = this.#options;
    const markdown = await summaries.read(stepIndex);
    try {
      if (markdown !== undefined) await channel.updateSummary?.({ taskId, stepIndex, markdown }, signal);
    } catch (error) {
      if (reportFailure(error).kind !== 'refused') throw error;
      log.warn('the instance refuses the summary of a step', { task: taskId, step: stepIndex });
    }
    this.#summaries.shift();
  }

  /** Before the result: jobs that need this one start with it, and must find all outputs. */
  async #sendOutputs(outputs: ReadonlyMap<string, string>, signal: AbortSignal): Promise<void> {
    const { channel, log, taskId } = this.#options;
    const { sentOutputs } = await channel.updateTask({ state: this.#state(false), outputs }, signal);
    const taken = new Set(sentOutputs);
    const missing = [...outputs.keys()].filter((name) => !taken.has(name));
    // Asking again brings nothing else: the server answered, and has its reasons.
    if (missing.length > 0) log.warn('the instance does not take outputs of a job', { task: taskId, missing });
    for (const name of outputs.keys()) this.#sent.add(name);
  }

  #state(isLast: boolean): TaskState {
    const { taskId, startedAtMs, ended, steps, sender } = this.#options;
    const state = { taskId, startedAtMs, steps: steps.map((step) => cutToRows(step, sender.ackedRows)) };
    return isLast ? { ...state, result: ended.result, stoppedAtMs: ended.stoppedAtMs } : state;
  }

  #endAfter(failure: ReportFailure): Delivery | undefined {
    const { clock, ended, log, taskId } = this.#options;
    // A runner for one job is deleted with the result that it reports.
    if (failure.kind === 'gone' && this.#mayBeKnown) return 'delivered';
    const elapsed = clock.elapsed();
    if (failure.kind === 'gone') this.#goneSinceMs ??= elapsed;
    else this.#goneSinceMs = undefined;
    if (this.#goneSinceMs !== undefined && elapsed - this.#goneSinceMs >= gonePatienceMs) {
      log.error('the instance does not know a job any more; its result is lost', {
        task: taskId,
        reason: failure.message,
      });
      return 'refused';
    }
    if (clock.now() - ended.stoppedAtMs >= giveUpAfterMs) {
      log.error('the result of a job could not be reported for a day; it is lost', {
        task: taskId,
        reason: failure.message,
      });
      return 'given-up';
    }
    if (failure.message !== this.#shown) {
      log.warn('the result of a job cannot be reported yet', { task: taskId, reason: failure.message });
    }
    this.#shown = failure.message;
    return undefined;
  }
}

/** The server must not look for rows that it does not have: not yet, or never where it did not take the log. */
function cutToRows(step: StepState, rowCount: number): StepState {
  return { ...step, logLength: Math.max(0, Math.min(step.logLength, rowCount - step.logIndex)) };
}
