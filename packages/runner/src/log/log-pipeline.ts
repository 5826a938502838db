import type { OutputSink } from '@forgejo-runner/core';
import type { JobReport, LogRow, LogSection } from '../report/job-report.ts';
import { UserError } from '../user-error.ts';
import { annotationOf, annotationRows } from './annotations.ts';
import { OutputReader, rowsOf } from './log-rows.ts';
import type { Masker } from './masker.ts';
import { MatcherRun, ProblemMatchers } from './problem-matchers.ts';
import {
  afterCommand,
  type CommandState,
  initialCommands,
  readCommand,
  type Remark,
  type WorkflowCommand,
} from './workflow-commands.ts';

/** A command that changes the job, with values as the process meant them. A mask is in the masker already. */
export type EngineCommand = Extract<
  WorkflowCommand,
  { readonly kind: 'add-mask' | 'save-state' | 'set-output' | 'set-env' | 'add-path' }
>;

/** Carries out what a step asks for in its output. The process waits while it does. */
export interface CommandHandler {
  /** `set-env` and `add-path` come only where `allowUnsecureCommands` is set. */
  readonly handle: (command: EngineCommand) => void | PromiseLike<void>;
  /** Text of a file that a step names, as the step sees it: for problem matchers. Without it there are none. */
  readonly readFile?: (path: string) => Promise<string>;
}

/** What a log of one stage of a step needs. */
export interface StepLogOptions {
  readonly section: LogSection;
  readonly masker: Masker;
  readonly report: Pick<JobReport, 'rows' | 'annotation'>;
  readonly commands: CommandHandler;
  /** Shows `::debug::` rows and the lines of all commands. */
  readonly isDebug: boolean;
  /** Of the job. Without them those that this stage adds end with it. */
  readonly matchers?: ProblemMatchers;
  /** `ACTIONS_ALLOW_UNSECURE_COMMANDS` is `true` in the step's environment. */
  readonly allowUnsecureCommands?: boolean;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

/** The log of one stage of a step. */
export interface StepLog {
  /** Output of the process. Each of the two keeps its order; a row of one never contains text of the other. */
  readonly stdout: OutputSink;
  readonly stderr: OutputSink;
  /** Rows of the engine's own: masked, but not read for commands. */
  readonly line: (text: string) => Promise<void>;
  /** Takes the last lines without a newline. The log may be closed more than once. */
  readonly close: () => Promise<void>;
}

/**
 * Opens the way from a process to the rows of one stage of a step: lines, commands, masks, rows. What waits on a sink
 * waits until the report took the rows: that is the back-pressure.
 *
 * - Rows have at most 64 KiB; a longer line goes on in the next row, with `…` on both sides of the cut.
 * - Bytes that are not UTF-8 become U+FFFD, colours stay, a `\r` at the end of a line goes.
 * - `::group::` becomes `##[group]`, annotations become `##[error]`, `##[warning]`, `##[notice]`.
 * - Lines of other commands are shown only after `::echo::on` or with debug on; masks and stop tokens never.
 */
export function openStepLog(options: StepLogOptions): StepLog {
  const pipeline = new Pipeline(options);
  return {
    stdout: (chunk) => pipeline.push(pipeline.stdout, chunk),
    stderr: (chunk) => pipeline.push(pipeline.stderr, chunk),
    line: (text) => pipeline.say(text),
    close: () => pipeline.close(),
  };
}

class Pipeline {
  readonly stdout: OutputReader;
  readonly stderr: OutputReader;
  readonly #options: StepLogOptions;
  readonly #matchers: ProblemMatchers;
  readonly #matcherRun: MatcherRun;
  readonly #warned = new Set<string>();
  #state: CommandState = initialCommands;
  #queue: Promise<void> = Promise.resolve();
  #rows: LogRow[] = [];
  /** Lines for the problem matchers, which take them in batches. */
  #unmatched: string[] = [];
  #atMs = 0;

  constructor(options: StepLogOptions) {
    this.#options = options;
    this.stdout = new OutputReader(options.masker);
    this.stderr = new OutputReader(options.masker);
    this.#matchers = options.matchers ?? new ProblemMatchers();
    this.#matcherRun = new MatcherRun(this.#matchers);
  }

  push(reader: OutputReader, chunk: Uint8Array): Promise<void> {
    return this.#enqueue(() => this.#read(reader, reader.push(chunk)));
  }

  say(text: string): Promise<void> {
    return this.#enqueue(() => this.#show(text));
  }

  close(): Promise<void> {
    return this.#enqueue(async () => {
      await this.#read(this.stdout, this.stdout.end());
      await this.#read(this.stderr, this.stderr.end());
    });
  }

  /** One piece of work at a time, in the order in which it came; its rows go out together. */
  #enqueue(work: () => void | Promise<void>): Promise<void> {
    const run = this.#after(this.#queue, work);
    this.#queue = run.catch(() => undefined); // who pushed hears of it
    return run;
  }

  async #after(others: Promise<void>, work: () => void | Promise<void>): Promise<void> {
    await others;
    this.#atMs = (this.#options.now ?? Date.now)();
    try {
      await work();
    } finally {
      this.#match();
      const rows = this.#rows;
      this.#rows = [];
      if (rows.length > 0) await this.#options.report.rows(this.#options.section, rows);
    }
  }

  async #read(reader: OutputReader, lines: ReturnType<OutputReader['push']>): Promise<void> {
    for (const line of lines) {
      const part = reader.take(line, this.#state);
      if (part === undefined) continue;
      if (part.kind === 'line') {
        const command = readCommand(part.text, this.#state);
        if (command === undefined) this.#text(part.text);
        else await this.#command(command, part.text);
        continue;
      }
      this.#match();
      if (part.kind === 'rows') for (const text of part.texts) this.#row(text);
      else this.#warn('A workflow command with more than 4,194,304 characters was ignored');
    }
  }

  #text(text: string): void {
    if (this.#matchers.isEmpty) this.#show(text);
    else this.#unmatched.push(text);
  }

  /** Shows the lines that wait for the matchers. */
  #match(): void {
    if (this.#unmatched.length === 0) return;
    const lines = this.#unmatched;
    this.#unmatched = [];
    const { remarks, notices } = this.#matcherRun.match(lines);
    for (const [index, line] of lines.entries()) {
      const remark = remarks[index];
      if (remark === undefined) {
        this.#show(line);
        continue;
      }
      this.#annotate(remark);
      this.#show(`##[${remark.level}]${line}`);
    }
    for (const notice of notices) this.#warn(notice);
  }

  async #command(command: WorkflowCommand, line: string): Promise<void> {
    this.#match();
    this.#state = afterCommand(this.#state, command);
    switch (command.kind) {
      case 'group':
        return this.#show(`##[group]${command.title}`);
      case 'endgroup':
        return this.#show('##[endgroup]');
      case 'debug':
        return this.#options.isDebug ? this.#show(`##[debug]${command.message}`) : undefined;
      case 'annotation':
        for (const row of annotationRows(this.#annotate(command.annotation))) this.#row(row);
        return undefined;
      case 'add-mask':
        // Before anything else may be shown.
        this.#options.masker.add(command.value);
        return this.#options.commands.handle(command);
      case 'stop':
      case 'resume':
        return undefined;
      case 'refused':
        this.#show(line);
        return this.#warn(`The workflow command ${command.name} was ignored: ${command.reason}`);
      default:
        if (this.#state.isEchoing || this.#options.isDebug) this.#show(line);
        return this.#carryOut(command);
    }
  }

  async #carryOut(command: Exclude<WorkflowCommand, { kind: 'refused' }>): Promise<void> {
    switch (command.kind) {
      case 'add-matcher':
        return this.#withFile(command.file, (json) => this.#matchers.add(json));
      case 'remove-matcher':
        return this.#matchers.remove(command.owner);
      case 'remove-matcher-file':
        return this.#withFile(command.file, (json) => this.#matchers.removeFile(json));
      case 'save-state':
      case 'set-output':
        this.#warnOnce(command.kind, `is deprecated; write to the file in $${fileVariables[command.kind]} instead`);
        return this.#options.commands.handle(command);
      case 'set-env':
      case 'add-path': {
        if (this.#options.allowUnsecureCommands === true) return this.#options.commands.handle(command);
        return this.#warnOnce(
          command.kind,
          `was ignored, because any output could change later steps with it; write to the file in $${fileVariables[command.kind]} instead`,
        );
      }
      default:
        return undefined;
    }
  }

  /** A matcher is a help for the reader: what is wrong with its file fails no step. */
  async #withFile(path: string, use: (json: string) => void): Promise<void> {
    const { readFile } = this.#options.commands;
    if (readFile === undefined) return this.#warn('Problem matchers are not available here');
    try {
      use(await readFile(path));
    } catch (error) {
      const reason = error instanceof UserError || error instanceof Error ? error.message : String(error);
      this.#warn(`The problem matchers in ${JSON.stringify(path)} cannot be used: ${reason}`);
    }
    return undefined;
  }

  #annotate(remark: Remark): ReturnType<typeof annotationOf> {
    const { section, masker, report } = this.#options;
    const annotation = annotationOf(remark, section.kind === 'step' ? section.index : -1, masker);
    if (section.kind === 'step') report.annotation(annotation);
    return annotation;
  }

  #warnOnce(name: keyof typeof fileVariables, text: string): void {
    if (this.#warned.has(name)) return;
    this.#warned.add(name);
    this.#warn(`The workflow command ${name} ${text}`);
  }

  #warn(text: string): void {
    this.#show(`##[warning]${text}`);
  }

  /** Text that is not masked yet; each of its lines becomes a row. */
  #show(text: string): void {
    const masked = this.#options.masker.mask(text);
    if (!masked.includes('\n')) return this.#row(masked);
    for (const line of masked.split(/\r*\n/)) this.#row(line);
  }

  #row(masked: string): void {
    for (const text of rowsOf(masked)) this.#rows.push({ atMs: this.#atMs, text });
  }
}

const fileVariables = {
  'save-state': 'GITHUB_STATE',
  'set-output': 'GITHUB_OUTPUT',
  'set-env': 'GITHUB_ENV',
  'add-path': 'GITHUB_PATH',
} as const;
