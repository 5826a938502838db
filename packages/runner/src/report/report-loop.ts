import type { Logger } from '@forgejo-runner/core';
import type { JobResult } from './job-report.ts';
import type { LogSender } from './log-sender.ts';
import { type ReportChannel, type ReportFailure, reportFailure, type TaskState } from './report-channel.ts';
import type { ReportClock } from './report-clock.ts';
import { checkIntervalMs, gonePatienceMs, type ReportSettings, retryDelayMs } from './report-settings.ts';

/** Why the server wants a job to stop. */
export class EndedByServer extends Error {
  override readonly name: string = 'EndedByServer';
  /** What the server has for the task; missing where it knows the task no more. */
  readonly result?: JobResult;

  constructor(result?: JobResult) {
    super(
      result === undefined
        ? 'the instance does not know the job any more'
        : result === 'cancelled'
          ? 'the job was cancelled on the instance'
          : `the instance ended the job with the result ${result}`,
    );
    if (result !== undefined) this.result = result;
  }
}

/** Somebody may be waiting for the job to be cancelled, and looks at its log. */
const mostDelayMs = 10_000;

/** What a {@link ReportLoop} reports. */
export interface ReportLoopOptions {
  readonly sender: LogSender;
  readonly channel: Pick<ReportChannel, 'updateTask'>;
  readonly state: () => TaskState;
  readonly settings: ReportSettings;
  readonly clock: ReportClock;
  readonly log: Logger;
  /** Called once, when the server ended the task or forgot it. */
  readonly onEnded: (reason: EndedByServer) => void;
}

/**
 * Reports a running job: rows and states when there are new ones, at most once in an interval, and a sign of life while
 * there are none, whose answer shows a cancellation. One request at a time.
 */
export class ReportLoop {
  readonly #options: ReportLoopOptions;
  #closing = new AbortController();
  #wake = new AbortController();
  #isAwake = true;
  #reportedAtMs: number;
  #checkedAtMs: number;
  #sentState = '';
  #isEnded = false;
  #failures = 0;
  #retryAtMs = 0;
  #goneSinceMs: number | undefined;
  #shown = '';

  constructor(options: ReportLoopOptions) {
    this.#options = options;
    this.#reportedAtMs = options.clock.elapsed();
    this.#checkedAtMs = this.#reportedAtMs;
  }

  /** Something changed. */
  wake(): void {
    if (this.#isAwake) return;
    this.#isAwake = true;
    this.#wake.abort();
  }

  /** Ends {@link run} after the request that is on its way. */
  close(): void {
    this.#closing.abort();
    this.#wake.abort();
  }

  /** Runs until it is closed. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!this.#closing.signal.aborted) {
      await this.#sleep();
      if (this.#closing.signal.aborted) return;
      try {
        await this.#report(signal);
        this.#succeeded();
      } catch (error) {
        if (signal.aborted) return;
        this.#failed(reportFailure(error));
      }
    }
  }

  /** Waits until a report is due. Changes wake it up while it waits for nothing but the next sign of life. */
  async #sleep(): Promise<void> {
    const { clock } = this.#options;
    for (;;) {
      this.#wake = new AbortController();
      const waitMs = this.#dueAtMs() - clock.elapsed();
      if (waitMs <= 0 || this.#closing.signal.aborted) break;
      this.#isAwake = this.#hasChanged() || this.#failures > 0;
      await clock.wait(waitMs, AbortSignal.any([this.#wake.signal, this.#closing.signal]));
    }
    this.#isAwake = true;
  }

  #dueAtMs(): number {
    const { settings } = this.#options;
    if (this.#failures > 0) return this.#retryAtMs;
    const changed = this.#hasChanged() ? this.#reportedAtMs + settings.intervalMs : Number.POSITIVE_INFINITY;
    return Math.min(changed, this.#checkAtMs());
  }

  #checkAtMs(): number {
    // The server keeps what it has of a task that it ended: there is nothing to learn any more.
    return this.#isEnded ? Number.POSITIVE_INFINITY : this.#checkedAtMs + checkIntervalMs(this.#options.settings);
  }

  #hasChanged(): boolean {
    const { sender, state } = this.#options;
    return sender.hasRows || (!this.#isEnded && stateKey(state()) !== this.#sentState);
  }

  async #report(signal: AbortSignal): Promise<void> {
    const { sender, clock } = this.#options;
    const isCheckDue = (): boolean => clock.elapsed() >= this.#checkAtMs();
    // A sign of life does not hold up the next change.
    if (this.#hasChanged()) this.#reportedAtMs = clock.elapsed();
    while (sender.hasRows && !this.#closing.signal.aborted) {
      const sentBefore = sender.ackedRows;
      if (!(await sender.send(undefined, signal)) || isCheckDue()) break;
      // What came while the request was on its way may wait for the next one, unless it is much.
      if (sender.ackedRows - sentBefore < 500) break;
    }
    if (!this.#isEnded && (isCheckDue() || stateKey(this.#options.state()) !== this.#sentState))
      await this.#check(signal);
  }

  async #check(signal: AbortSignal): Promise<void> {
    const { channel, state, clock } = this.#options;
    const told = state();
    const startedAtMs = clock.elapsed();
    const { result } = await channel.updateTask({ state: told, outputs: new Map() }, signal);
    this.#sentState = stateKey(told);
    this.#checkedAtMs = startedAtMs;
    if (result !== undefined) this.#end(new EndedByServer(result));
  }

  #end(reason: EndedByServer): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#options.onEnded(reason);
  }

  #succeeded(): void {
    const { log, state } = this.#options;
    if (this.#failures > 0) log.info('the instance takes reports of a job again', { task: state().taskId });
    this.#failures = 0;
    this.#goneSinceMs = undefined;
    this.#shown = '';
  }

  #failed(failure: ReportFailure): void {
    const { clock, settings, log, state } = this.#options;
    const now = clock.elapsed();
    this.#failures += 1;
    const patience = failure.retryAfterMs === undefined ? {} : { retryAfterMs: failure.retryAfterMs };
    this.#retryAtMs = now + Math.min(retryDelayMs(this.#failures, settings.retry, patience), mostDelayMs);
    if (failure.message !== this.#shown) {
      log.warn('a job cannot be reported', { task: state().taskId, reason: failure.message });
    }
    this.#shown = failure.message;
    if (failure.kind !== 'gone') this.#goneSinceMs = undefined;
    else this.#goneSinceMs ??= now;
    if (this.#goneSinceMs !== undefined && now - this.#goneSinceMs >= gonePatienceMs) this.#end(new EndedByServer());
  }
}

function stateKey(state: TaskState): string {
  return JSON.stringify(state);
}
