import type { OutputStream } from '../io.ts';
import { jsonJob, jsonRunFinished } from './print-json.ts';
import { type TextStyle, textJob } from './print-text.ts';
import type { JobPrinting, PrintedJob } from './printed-job.ts';
import type { ArtifactRecord, JobRecord, RunRecord } from './run-record.ts';
import { runSummary } from './run-summary.ts';
import { openSlowWriter } from './slow-writer.ts';
import { displayWidth, nameText } from './terminal-text.ts';

/** How `exec` prints. */
export interface RunPrinterOptions {
  readonly stdout: OutputStream;
  /** Colours of ours and of the jobs. Without it no escape sequence is printed at all. */
  readonly color: boolean;
  /** More than a reader usually wants: times of rows, whole summaries of steps. */
  readonly verbose: boolean;
  /** One JSON object a line, as in `docs/reference/exec-json.md`. */
  readonly json: boolean;
  /** The terminal knows more than ASCII. Default: it does. */
  readonly unicode?: boolean;
  /** Names of the jobs to come, as far as they are known: rows of a job alone have no prefix. */
  readonly jobNames?: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** Prints a run while it goes on, and a summary at its end. */
export interface RunPrinter {
  /** What takes the report of one job. Jobs may run at the same time. */
  readonly job: (id: string, name: string) => PrintedJob;
  /** Tells what a job of the run uploaded, for the end of the run. */
  readonly artifact: (artifact: ArtifactRecord) => void;
  /** Prints the summary. Nothing may be printed afterwards. */
  readonly close: () => Promise<void>;
}

/** Opens what prints a run of `exec`. A reader who is slow slows the jobs down; one who is gone does not stop them. */
export function openRunPrinter(options: RunPrinterOptions): RunPrinter {
  const now = options.now ?? Date.now;
  const writer = openSlowWriter(options.stdout);
  const record: RunRecord = { jobs: [], artifacts: [], startedAtMs: now() };
  const names = (options.jobNames ?? []).map(nameText);
  const style: TextStyle = {
    colors: options.color,
    unicode: options.unicode ?? true,
    verbose: options.verbose,
    columns: options.stdout.isTTY === true ? (options.stdout.columns ?? 0) : 0,
    prefixWidth: names.length === 1 ? 0 : Math.min(30, Math.max(8, ...names.map(displayWidth))),
  };
  return {
    job: (id, name) => {
      const job: JobRecord = { id, name, steps: [], annotations: [], moreAnnotations: 0 };
      const order = record.jobs.push(job) - 1;
      const printing: JobPrinting = { record: job, write: writer.write, now };
      return options.json ? jsonJob(printing) : textJob(printing, style, order);
    },
    artifact: (artifact) => void record.artifacts.push(artifact),
    close: async () => {
      const durationMs = now() - record.startedAtMs;
      await writer.write(
        options.json ? jsonRunFinished(record, durationMs, now()) : runSummary(record, durationMs, style),
      );
      writer[Symbol.dispose]();
    },
  };
}

/** Whether a terminal with this environment shows more than ASCII. */
export function hasUnicode(env: Readonly<Record<string, string | undefined>>, platform: NodeJS.Platform): boolean {
  if (platform === 'win32') return env['WT_SESSION'] !== undefined || env['TERM_PROGRAM'] === 'vscode';
  const locale = env['LC_ALL'] || env['LC_CTYPE'] || env['LANG'] || '';
  return /utf-?8/i.test(locale) || (platform === 'darwin' && locale === '');
}
