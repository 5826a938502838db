import type { Logger } from '@forgejo-runner/core';
import type { JobResult } from './job-report.ts';
import type { LogSender } from './log-sender.ts';
import { Attempts } from './report-attempts.ts';
import { type ReportChannel, reportFailure, type TaskState } from './report-channel.ts';
import type { ReportClock } from './report-clock.ts';
import { checkIntervalMs, gonePatienceMs, type ReportSettings } from './report-settings.ts';

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

type Change = 'rows' | 'state';

/** What a {@link ReportLoop} reports. */
export interface ReportLoopOptions {
  readonly sender: LogSender;
  readonly channel: Pick<ReportChannel, 'updateTask'>;
  readonly state: () => TaskState;
  /** Resolves when the present state would survive the process: what an instance was told must not be taken back. */
  readonly kept: () => Promise<void>;
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
  readonly #closing = new AbortController();
  readonly #rowAttempts: Attempts;
  readonly #stateAttempts: Attempts;
  #wake = new AbortController();
  /** What would change how long the loop sleeps. */
  #wakesFor: ReadonlySet<Change> = new Set();
  #reportedAtMs: number;
  #checkedAtMs: number;
  #sentState = '';
  #isEnded = false;
  /** A look for a cancellation came between rows that were many. */
  #isBehind = false;

  constructor(options: ReportLoopOptions) {
    this.#options = options;
    this.#rowAttempts = new Attempts(options.settings.retry);
    this.#stateAttempts = new Attempts(options.settings.retry);
    this.#reportedAtMs = options.clock.elapsed();
    this.#checkedAtMs = this.#reportedAtMs;
  }

  /** There are new rows, or another state. */
  wake(change: Change): void {
    if (this.#wakesFor.has(change)) this.#wake.abort();
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
      if (!this.#closing.signal.aborted) await this.#report(signal);
    }
  }

  async #sleep(): Promise<void> {
    const { clock, sender } = this.#options;
    for (;;) {
      this.#wake = new AbortController();
      const waitMs = Math.min(this.#rowsDueAtMs(), this.#stateDueAtMs()) - clock.elapsed();
      if (waitMs <= 0 || this.#closing.signal.aborted) break;
      // What changed already need not wake us once more: a job may print ten thousand times in a second.
      const changes: Change[] = sender.hasRows ? [] : ['rows'];
      if (!this.#hasNewState()) changes.push('state');
      this.#wakesFor = new Set(changes);
      await clock.wait(waitMs, AbortSignal.any([this.#wake.signal, this.#closing.signal]));
    }
    this.#wakesFor = new Set();
  }

  #rowsDueAtMs(): number {
    if (!this.#options.sender.hasRows) return Number.POSITIVE_INFINITY;
    const wantedMs = this.#isBehind ? 0 : this.#reportedAtMs + this.#options.settings.intervalMs;
    return Math.max(wantedMs, this.#rowAttempts.retryAtMs);
  }

  #stateDueAtMs(): number {
    const nextMs = this.#reportedAtMs + this.#options.settings.intervalMs;
    const wantedMs = this.#hasNewState() ? Math.min(nextMs, this.#checkAtMs()) : this.#checkAtMs();
    return Math.max(wantedMs, this.#stateAttempts.retryAtMs);
  }

  #checkAtMs(): number {
    // The server keeps what it has of a task that it ended: there is nothing to learn any more.
    return this.#isEnded ? Number.POSITIVE_INFINITY : this.#checkedAtMs + checkIntervalMs(this.#options.settings);
  }

  #hasNewState(): boolean {
    return !this.#isEnded && stateKey(this.#options.state()) !== this.#sentState;
  }

  /** Rows first: a state names no row that the server does not have. One that fails does not hold up the other. */
  async #report(signal: AbortSignal): Promise<void> {
    const { sender, clock } = this.#options;
    const now = clock.elapsed();
    const areRowsDue = this.#rowsDueAtMs() <= now;
    // A sign of life does not hold up the next change.
    if (sender.hasRows || this.#hasNewState()) this.#reportedAtMs = now;
    if (areRowsDue) await this.#attempt(this.#rowAttempts, () => this.#sendRows(signal), signal);
    if (this.#closing.signal.aborted) return;
    const isStateDue = this.#hasNewState() || this.#checkAtMs() <= clock.elapsed();
    if (isStateDue && this.#stateAttempts.retryAtMs <= clock.elapsed()) {
      await this.#attempt(this.#stateAttempts, () => this.#check(signal), signal);
    }
  }

  async #sendRows(signal: AbortSignal): Promise<void> {
    const { sender, clock } = this.#options;
    this.#isBehind = false;
    while (sender.hasRows && !this.#closing.signal.aborted) {
      const sentBefore = sender.ackedRows;
      if (!(await sender.send(undefined, signal))) return;
      this.#isBehind = this.#checkAtMs() <= clock.elapsed();
      if (this.#isBehind) return;
      // What came while the request was on its way may wait for the next one, unless it is much.
      if (sender.ackedRows - sentBefore < 500) return;
    }
  }

  async #check(signal: AbortSignal): Promise<void> {
    const { channel, state, kept, clock } = this.#options;
    const told = state();
    await kept();
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

  async #attempt(attempts: Attempts, work: () => Promise<void>, signal: AbortSignal): Promise<void> {
    const { clock, log, state } = this.#options;
    const what = attempts === this.#rowAttempts ? 'rows' : 'the state';
    try {
      await work();
      if (attempts.succeeded()) log.info(`the instance takes ${what} of a job again`, { task: state().taskId });
    } catch (error) {
      if (signal.aborted) return;
      const failure = reportFailure(error);
      const { isNew, goneMs } = attempts.failed(failure, clock.elapsed());
      if (isNew) log.warn(`${what} of a job cannot be reported`, { task: state().taskId, reason: failure.message });
      if (goneMs >= gonePatienceMs && attempts === this.#stateAttempts) this.#end(new EndedByServer());
    }
  }
}

function stateKey(state: TaskState): string {
  return JSON.stringify(state);
}
