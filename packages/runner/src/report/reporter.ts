import { mkdir, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LogSpool } from '../log/log-spool.ts';
import type { SpooledRow } from '../log/log-spool-blocks.ts';
import { closingRows } from './closing-rows.ts';
import { type Delivery, sendFinalReport } from './final-report.ts';
import { type JobFile, JobFileWriter, jobLogName, readJobFile } from './job-file.ts';
import type { JobReport, JobResult, LogRow, LogSection, StepChange } from './job-report.ts';
import { KeptSummaries } from './kept-summaries.ts';
import { LogSender } from './log-sender.ts';
import { type EndedByServer, ReportLoop } from './report-loop.ts';
import { acceptedOutputs } from './report-outputs.ts';
import type { Reporter, ReporterOptions, ReportProgress } from './report-options.ts';
import { StepSections } from './step-sections.ts';

/**
 * Opens the report of a job that starts. Rows count as taken when they are in its folder; a reporter whose process dies is
 * taken over by `recoverReports`. Disposing stops it where it stands.
 *
 * @throws Error of the file system, `EEXIST` where the task has been reported before.
 */
export async function openReporter(options: ReporterOptions): Promise<Reporter> {
  const { folder, settings, log, job } = options;
  await makeFolder(folder);
  let running: RunningReport | undefined;
  const spool = await LogSpool.create(join(folder, jobLogName), {
    limitBytes: settings.spoolLimitBytes,
    onLoss: (error, rows) => {
      log.error('rows of a job cannot be written', { task: job.taskId, rows, error });
      running?.lostRows();
    },
  });
  running = new RunningReport(options, spool);
  try {
    await running.start();
    return running;
  } catch (error) {
    await running[Symbol.asyncDispose]();
    throw error;
  }
}

async function makeFolder(folder: string): Promise<void> {
  await mkdir(dirname(folder), { recursive: true, mode: 0o700 });
  try {
    await mkdir(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || (await readJobFile(folder)) !== undefined) throw error;
    // Its process died before the folder said what it is for: nobody can report that job, and the instance gave it again.
    await rm(folder, { recursive: true });
    await mkdir(folder, { mode: 0o700 });
  }
}

class RunningReport implements Reporter {
  readonly report: JobReport;
  readonly settled: Promise<Delivery>;
  readonly #options: ReporterOptions;
  readonly #spool: LogSpool;
  readonly #sections = new StepSections();
  readonly #sender: LogSender;
  readonly #loop: ReportLoop;
  readonly #file: JobFileWriter;
  readonly #summaries: KeptSummaries;
  readonly #ended = new AbortController();
  readonly #stop = new AbortController();
  readonly #delivery = Promise.withResolvers<Delivery>();
  readonly #startedAtMs: number;
  readonly #stepNames: string[];
  #backend: string;
  #hasUnshownSummary = false;
  #looping: Promise<void> = Promise.resolve();
  #finishing: Promise<Delivery> | undefined;
  #end: Pick<JobFile, 'ended' | 'delivery'> = {};

  constructor(options: ReporterOptions, spool: LogSpool) {
    const { job, channel, settings, clock, log, folder } = options;
    this.#options = options;
    this.#spool = spool;
    this.#startedAtMs = clock.now();
    this.#stepNames = [...job.stepNames];
    this.#backend = job.backend;
    this.#sender = new LogSender({ taskId: job.taskId, spool, channel, log, ackedRows: 0, oldRows: 0 });
    this.#summaries = new KeptSummaries(folder);
    this.#file = new JobFileWriter(
      folder,
      () => this.#content(),
      (error) => log.warn('the state of a job cannot be written', { task: job.taskId, error }),
    );
    this.#loop = new ReportLoop({
      sender: this.#sender,
      channel,
      settings,
      clock,
      log,
      state: () => ({
        taskId: job.taskId,
        startedAtMs: this.#startedAtMs,
        // The server must not look for rows that it does not have yet.
        steps: this.#sections.states(this.#sender.ackedRows),
      }),
      kept: () => this.#file.idle(),
      onEnded: (reason: EndedByServer) => this.#ended.abort(reason),
    });
    this.settled = this.#delivery.promise;
    this.report = {
      rows: (section, rows) => this.#rows(section, rows),
      step: (change) => this.#step(change),
      annotation: () => {}, // its rows are in the log
      summary: (stepIndex, markdown) => this.#summary(stepIndex, markdown),
    };
  }

  get cancelled(): AbortSignal {
    return this.#ended.signal;
  }

  async start(): Promise<void> {
    await this.#file.save();
    this.#looping = this.#loop.run(this.#stop.signal);
  }

  lostRows(): void {
    this.#sections.cutTo(this.#spool.rowCount);
  }

  runsOn(backend: string): void {
    this.#backend = backend;
    this.#file.touch();
  }

  progress(): ReportProgress {
    const { flushedRows: rows, bytes } = this.#spool;
    return {
      startedAtMs: this.#startedAtMs,
      backend: this.#backend,
      rows,
      bytes,
      waitingRows: rows - this.#sender.ackedRows,
      steps: this.#sections.states(rows),
    };
  }

  tail(rows: number): Promise<readonly SpooledRow[]> {
    return this.#spool.read(Math.max(0, this.#spool.flushedRows - rows), { rows, bytes: tailBytes });
  }

  async #rows(section: LogSection, rows: readonly LogRow[]): Promise<void> {
    if (rows.length === 0 || this.#end.ended !== undefined) return;
    this.#sections.rows(section, this.#spool.rowCount);
    await this.#spool.append(section, rows);
    this.#loop.wake('rows');
  }

  #step(change: StepChange): void {
    if (this.#end.ended !== undefined) return;
    this.#sections.change(change, this.#spool.rowCount);
    if (change.stage === 'main' && change.index < this.#stepNames.length) this.#stepNames[change.index] = change.name;
    // Rows of pre and post stages share a place on the server: a heading tells whose they are.
    else if (change.kind === 'started') {
      const section: LogSection = { kind: 'step', index: change.index, stage: change.stage };
      void this.#rows(section, [{ atMs: change.atMs, text: `▸ ${change.name}` }]);
    }
    this.#file.touch();
    this.#loop.wake('state');
  }

  #summary(stepIndex: number, markdown: string): void {
    const { channel, log, job } = this.#options;
    if (channel.updateSummary === undefined) this.#hasUnshownSummary = true;
    else {
      this.#summaries.keep(stepIndex, markdown, (error) =>
        log.warn('the summary of a step cannot be kept', { task: job.taskId, step: stepIndex, error }),
      );
    }
  }

  async finish(result: JobResult, outputs: ReadonlyMap<string, string>): Promise<Delivery> {
    this.#finishing ??= this.#finish(result, outputs);
    return this.#finishing;
  }

  async #finish(result: JobResult, outputs: ReadonlyMap<string, string>): Promise<Delivery> {
    const { clock, job, settings, log } = this.#options;
    this.#loop.close();
    await this.#looping;
    const { accepted, warnings } = acceptedOutputs(outputs);
    const remarks = warnings.map((warning) => `##[warning]${warning}`);
    if (this.#hasUnshownSummary) remarks.push(unshownSummaries);
    // A clock that was set back must not let a job end before it began.
    const atMs = Math.max(clock.now(), this.#startedAtMs);
    await this.#rows(
      { kind: 'complete' },
      remarks.map((text) => ({ atMs, text })),
    );
    this.#sections.finish({ result, atMs, count: job.stepNames.length }, this.#spool.rowCount);
    await this.#summaries.written();
    this.#end = { ended: { result, stoppedAtMs: atMs, outputs: accepted, closingRow: closingRows[result] } };
    // In this order: a result that is known has all its rows, also after a power failure.
    await this.#spool
      .sync()
      .then(() => this.#file.save())
      .catch((error: unknown) => log.error('the result of a job cannot be written', { task: job.taskId, error }));
    const patience = Promise.withResolvers<Delivery>();
    void this.#deliver((failures) => {
      if (failures >= Math.max(1, settings.retry.maxRetries)) patience.resolve('pending');
    });
    return Promise.race([this.settled, patience.promise]);
  }

  async #deliver(onFailure: (failures: number) => void): Promise<void> {
    const { channel, settings, clock, log, job } = this.#options;
    const { ended } = this.#end;
    if (ended === undefined) return;
    const delivery = await sendFinalReport(
      {
        taskId: job.taskId,
        startedAtMs: this.#startedAtMs,
        ended,
        steps: this.#sections.states(this.#spool.rowCount),
        summaries: this.#summaries,
        sender: this.#sender,
        channel,
        retry: settings.retry,
        clock,
        log,
        onFailure,
      },
      this.#stop.signal,
    );
    if (delivery !== 'pending') {
      this.#end = { ended: { ...ended, outputs: [] }, delivery };
      this.#file.touch();
      await this.#summaries.remove();
    }
    await this.#file.idle();
    this.#delivery.resolve(delivery);
  }

  #content(): JobFile {
    return {
      version: 1,
      ...this.#options.job,
      backend: this.#backend,
      stepNames: this.#stepNames,
      startedAtMs: this.#startedAtMs,
      steps: [...this.#sections.states(this.#spool.flushedRows)],
      ackedRows: this.#sender.ackedRows,
      rows: this.#spool.flushedRows,
      bytes: this.#spool.bytes,
      ...this.#end,
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#loop.close();
    this.#stop.abort();
    await this.#looping;
    if (this.#finishing === undefined) {
      this.#file.touch();
      this.#delivery.resolve('pending');
    }
    await this.#finishing;
    await this.settled;
    await this.#file.idle();
    await this.#spool[Symbol.asyncDispose]();
  }
}

/** Rows may have 64 KiB each. */
const tailBytes = 1024 * 1024;
const unshownSummaries = '##[notice]Summaries of steps are not shown: the instance has no place for them';
