import { join } from 'node:path';
import type { DockerDriver, Logger, Owner } from '@forgejo-runner/core';
import { toText } from '../expressions/values.ts';
import type { InstanceConnection } from '../forgejo/connection.ts';
import { defaultGraceMs } from '../job/job-limits.ts';
import { type FinishedJob, runJob } from '../job/run-job.ts';
import { Masker } from '../log/masker.ts';
import type { ContainerPolicy } from '../plan/admin-policy.ts';
import { planJob } from '../plan/plan-job.ts';
import type { LabelLookup } from '../plan/planned-job.ts';
import { pause } from '../poll/pause.ts';
import type { Delivery } from '../report/final-report.ts';
import { jobId } from '../report/job-folders.ts';
import type { JobResult } from '../report/job-report.ts';
import { systemClock } from '../report/report-clock.ts';
import type { Reporter } from '../report/report-options.ts';
import type { ReportSettings } from '../report/report-settings.ts';
import { openReporter } from '../report/reporter.ts';
import { openActionSource } from '../steps/actions/action-source.ts';
import type { ActionStore } from '../steps/actions/action-store.ts';
import { outcomeOfError } from '../steps/step-result.ts';
import type { DecodedTask } from '../task/decode-task.ts';
import type { TaskMessage } from '../task/task-message.ts';
import { runnerVersion } from '../runner-version.ts';
import { traced } from '../trace.ts';
import type { LogMasks } from './log-masks.ts';
import type { TaskServices } from './task-services.ts';
import { factsOfTask, readTaskJob, type TaskJob } from './task-job.ts';

/** What jobs are run with. What may change while the runner runs is asked for when a job starts. */
export interface RunningJobsOptions {
  readonly owner: Owner;
  readonly driver?: DockerDriver;
  readonly log: Logger;
  readonly masks: LogMasks;
  /** Folder of the folders of jobs. */
  readonly folder: string;
  readonly actions: ActionStore;
  readonly settings: ReportSettings;
  readonly envs: ReadonlyMap<string, string>;
  readonly maxTimeoutMs: number;
  readonly policy: ContainerPolicy;
  /** What jobs reach through the runner: cache, artifacts, identity tokens. */
  readonly services?: TaskServices;
  /** Labels of a connection and what makes their environments, held open until it is disposed. */
  readonly useLabels: (connection: string) => { readonly labels: LabelLookup } & AsyncDisposable;
  /** Counts a job for a label that it runs on. */
  readonly occupyLabel: (label: string) => Disposable;
  /** Nobody waits for clean-up any more. */
  readonly hurry: AbortSignal;
  readonly onEnded?: (job: EndedJob) => void;
}

/** A job that is over, for the administrator. */
export interface EndedJob {
  readonly result: JobResult;
  readonly backend: string;
  readonly durationMs: number;
  /** Until its first step; missing where there was none. */
  readonly setupMs?: number;
  readonly rows: number;
  readonly bytes: number;
}

/** A job that runs, or whose report is still on its way. */
export interface RunningJob {
  readonly id: string;
  readonly connection: string;
  readonly repository: string;
  readonly workflow: string;
  readonly job: string;
  readonly reporter: Reporter;
}

/** Where a task came from. */
export interface TaskSource {
  readonly connection: InstanceConnection;
  /** UUID of the runner there. */
  readonly runner: string;
  /** What the instance calls it. */
  readonly runnerName: string;
}

/** Actions come from here when neither step nor instance names a server. */
export const defaultActionsUrl = 'https://code.forgejo.org';

/** The jobs of this process. Disposing stops their reports where they stand; the next start goes on with them. */
export class RunningJobs implements AsyncDisposable {
  readonly #options: RunningJobsOptions;
  readonly #jobs = new Map<string, RunningJob>();
  /** Tasks that are being taken over, by the id of their job. */
  readonly #starting = new Set<string>();
  readonly #running = new Set<Promise<unknown>>();
  readonly #reporting = new Set<Promise<void>>();
  readonly #cancel = new AbortController();
  readonly #closing = new AbortController();

  constructor(options: RunningJobsOptions) {
    this.#options = options;
  }

  list(): readonly RunningJob[] {
    return [...this.#jobs.values()];
  }

  /**
   * Takes a task over: resolves when it is on the disk and can no longer get lost. The job runs on, and disposes `place` at its
   * end; `ended` settles then.
   *
   * @throws Error of the file system; the task has not been taken over.
   */
  async start(
    message: TaskMessage,
    place: Disposable,
    source: TaskSource,
  ): Promise<{ readonly ended: Promise<JobResult | undefined> }> {
    const { folder, settings, log, owner } = this.#options;
    const { connection } = source;
    const id = jobId(`${connection.name}-${source.runner.slice(0, 8)}`, String(message.id));
    // Before anything waits: a label that is dropped now still runs what came for it.
    await using used = new AsyncDisposableStack();
    const { labels } = used.use(this.#options.useLabels(connection.name));
    const masker = new Masker();
    const task = await readTaskJob(message, masker);
    const { decoded: _decoded, error: _error, ...named } = task;
    if (this.#jobs.has(id) || this.#starting.has(id)) return this.#twice(message, place, source);
    this.#starting.add(id);
    try {
      const reporter = await openReporter({
        job: { ...named, connection: connection.name, runner: source.runner, boot: owner.boot, backend: '' },
        folder: join(folder, id),
        channel: connection.reports,
        settings,
        clock: systemClock,
        log,
      });
      const { repository, workflow, job } = task;
      this.#jobs.set(id, { id, connection: connection.name, repository, workflow, job, reporter });
      const moved = used.move();
      const attributes = { repository, workflow, job, connection: connection.name, task: task.taskId };
      const ended = traced('job', attributes, async (span) => {
        const result = await this.#run({ task, masker, reporter, source, place, id, labels, used: moved });
        span.setAttribute('result', result);
        return result;
      });
      track(this.#running, ended);
      return { ended };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      return this.#twice(message, place, source);
    } finally {
      this.#starting.delete(id);
    }
  }

  /** The answer that brought a task got lost on its way to us, or an earlier start has it: that one reports it. */
  #twice(
    { id }: TaskMessage,
    place: Disposable,
    { connection }: TaskSource,
  ): { readonly ended: Promise<JobResult | undefined> } {
    this.#options.log.info('a task came twice', { task: String(id), connection: connection.name });
    place[Symbol.dispose]();
    return { ended: Promise.resolve(undefined) };
  }

  /** Cancels what runs. Jobs still clean up, and report. */
  cancel(reason: Error): void {
    this.#cancel.abort(reason);
  }

  /** Resolves when no job runs any more; reports may still be on their way. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await Promise.allSettled(this.#running);
  }

  async #run(started: StartedJob): Promise<JobResult> {
    const { task, masker, reporter, id } = started;
    const { log, masks } = this.#options;
    const startedAt = performance.now();
    const where = { task: task.taskId, repository: task.repository, job: task.job };
    await using _used = started.used;
    using stack = new DisposableStack();
    stack.use(started.place);
    stack.use(masks.use(masker));
    log.info('job started', { ...where, connection: started.source.connection.name });
    const { result, outputs } = await this.#execute(started);
    const texts = new Map([...outputs].map(([name, value]) => [name, toText(value)]));
    // The result is on the disk when nobody waits any more: the next start sends it.
    const delivery = await orPending(reporter.finish(result, texts), this.#options.hurry);
    const { rows, bytes, backend, steps, startedAtMs } = reporter.progress();
    const firstStepAtMs = steps.find((step) => step.startedAtMs !== undefined)?.startedAtMs;
    const setup = firstStepAtMs === undefined ? {} : { setupMs: Math.max(0, firstStepAtMs - startedAtMs) };
    const durationMs = performance.now() - startedAt;
    log.info('job ended', { ...where, result, seconds: Math.round(durationMs / 100) / 10 });
    if (delivery === 'pending') log.warn('the instance does not have the result yet', where);
    this.#options.onEnded?.({ result, backend, durationMs, ...setup, rows, bytes });
    track(this.#reporting, this.#report(reporter, id));
    return result;
  }

  /** Waits until the server has the result, or nobody waits any more. */
  async #report(reporter: Reporter, id: string): Promise<void> {
    await using _reporter = reporter;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closing.signal.addEventListener('abort', () => resolve(), { once: true });
    if (!this.#closing.signal.aborted) await Promise.race([reporter.settled, promise]);
    this.#jobs.delete(id);
  }

  async #execute(started: StartedJob): Promise<FinishedJob> {
    const { task, masker, reporter } = started;
    const signal = AbortSignal.any([reporter.cancelled, this.#cancel.signal]);
    try {
      if (task.decoded === undefined) throw task.error;
      return await this.#plan(task.decoded, started, signal);
    } catch (error) {
      const { because } = outcomeOfError(error);
      const atMs = Date.now();
      const rows = signal.aborted
        ? ['The job was cancelled before it started']
        : because.map((one) => `##[error]${one}`);
      await reporter.report.rows(
        { kind: 'set-up' },
        rows.map((text) => ({ atMs, text: masker.mask(text) })),
      );
      return { result: signal.aborted ? 'cancelled' : 'failure', outputs: new Map() };
    }
  }

  async #plan(decoded: DecodedTask, started: StartedJob, signal: AbortSignal): Promise<FinishedJob> {
    const { masker, reporter, source } = started;
    const { actions, driver, envs, policy, maxTimeoutMs, owner, log, hurry, services } = this.#options;
    const plan = await planJob(decoded.task, {
      labels: started.labels,
      maxTimeoutMs,
      policy,
      actions: openActionSource(actions, { defaultUrl: decoded.facts.defaultActionsUrl ?? defaultActionsUrl }),
      ...(driver === undefined ? {} : { driverFields: driver.fields }),
      signal,
    });
    if (plan.kind === 'skip') {
      const text = masker.mask(`Skipped: ${plan.because}`);
      await reporter.report.rows({ kind: 'set-up' }, [{ atMs: Date.now(), text }]);
      return { result: 'skipped', outputs: new Map() };
    }
    const { configuration } = plan.job.label;
    reporter.runsOn(configuration.backend);
    using _place = this.#options.occupyLabel(configuration.name);
    return await runJob(plan.job, {
      owner,
      ...(driver === undefined ? {} : { driver }),
      log,
      report: reporter.report,
      masker,
      signal,
      hurry,
      graceMs: defaultGraceMs,
      ...(services === undefined ? {} : { services: services(decoded, source.connection) }),
      runner: factsOfTask(decoded, { name: source.runnerName, version: runnerVersion, envs }, source.connection),
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort();
    while (this.#running.size > 0 || this.#reporting.size > 0) {
      await Promise.allSettled([...this.#running, ...this.#reporting]);
    }
  }
}

interface StartedJob {
  readonly id: string;
  readonly task: TaskJob;
  readonly masker: Masker;
  readonly reporter: Reporter;
  readonly source: TaskSource;
  readonly place: Disposable;
  readonly labels: LabelLookup;
  /** What keeps the backends of the labels open. */
  readonly used: AsyncDisposable;
}

/** How long an instance may take to hear of a result while somebody is in a hurry; the next start tells it else. */
const hurriedReportMs = 3000;

async function orPending(finishing: Promise<Delivery>, hurry: AbortSignal): Promise<Delivery> {
  const late = new AbortController();
  const hurried = whenAborted(hurry, late.signal).then(() => pause(hurriedReportMs, late.signal));
  try {
    return await Promise.race([finishing, hurried.then(() => 'pending' as const)]);
  } finally {
    late.abort();
  }
}

/** Resolves when the first signal aborts; when the second does, nobody listens any more. */
function whenAborted(signal: AbortSignal, unless: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  else signal.addEventListener('abort', () => resolve(), { once: true, signal: unless });
  return promise;
}

function track<T>(set: Set<Promise<T>>, work: Promise<T>): void {
  set.add(work);
  void work.finally(() => set.delete(work)).catch(() => {});
}
