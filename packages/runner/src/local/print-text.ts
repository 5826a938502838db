import { styleText } from 'node:util';
import type { JobResult, LogRow, LogSection, StepChange } from '../report/job-report.ts';
import type { JobPrinting, PrintedJob } from './printed-job.ts';
import { recordAnnotation, recordStep, stageName } from './run-record.ts';
import { cutTo, durationText, nameText, padTo, terminalText } from './terminal-text.ts';

/** How text is printed. */
export interface TextStyle {
  readonly colors: boolean;
  readonly unicode: boolean;
  readonly verbose: boolean;
  /** Width of the terminal, or 0 where there is none. */
  readonly columns: number;
  /** Columns of the job's name before each row; 0 for none. */
  readonly prefixWidth: number;
}

type Colour = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan' | 'magenta' | 'blue';

/** Lines of a step's summary that are printed; the whole with `--verbose`. */
const summaryLines = 40;

const prefixColours: readonly Colour[] = ['cyan', 'magenta', 'blue', 'yellow', 'green'];

/** How rows of a kind begin, and look. */
const rowKinds: readonly { readonly prefix: string; readonly label: string; readonly colour: Colour }[] = [
  { prefix: '##[error]', label: 'Error: ', colour: 'red' },
  { prefix: '##[warning]', label: 'Warning: ', colour: 'yellow' },
  { prefix: '##[notice]', label: 'Notice: ', colour: 'cyan' },
  { prefix: '##[debug]', label: 'Debug: ', colour: 'dim' },
  { prefix: '##[command]', label: '', colour: 'blue' },
];

type MarkName = JobResult | 'started' | 'group';

const marks: Readonly<Record<MarkName, readonly [symbol: string, ascii: string, colour: Colour]>> = {
  success: ['✔', '+', 'green'],
  failure: ['✘', 'x', 'red'],
  cancelled: ['⊘', '!', 'yellow'],
  skipped: ['○', '-', 'dim'],
  started: ['▶', '>', 'bold'],
  group: ['▼', 'v', 'bold'],
};

/** A text in a colour, where there are colours. */
export function painted(text: string, colour: Colour, style: Pick<TextStyle, 'colors'>): string {
  return style.colors ? styleText(colour, text, { validateStream: false }) : text;
}

/** The sign of a result. */
export function mark(name: MarkName, style: Pick<TextStyle, 'colors' | 'unicode'>): string {
  const [symbol, ascii, colour] = marks[name];
  return painted(style.unicode ? symbol : ascii, colour, style);
}

/** Prints one job as text. */
export function textJob(printing: JobPrinting, style: TextStyle, order: number): PrintedJob {
  const job = new TextJob(printing, style, order);
  return {
    rows: (section, rows) => job.rows(section, rows),
    step: (change) => job.step(change),
    annotation: (annotation) => recordAnnotation(printing.record, annotation),
    summary: (stepIndex, markdown) => job.summary(stepIndex, markdown),
    finished: ({ result }, durationMs) => job.finished(result, durationMs),
  };
}

class TextJob {
  readonly #printing: JobPrinting;
  readonly #style: TextStyle;
  readonly #prefix: string;
  /** Part of the log that the last row belonged to. */
  #section = '';
  /** Groups that are open in it. */
  #depth = 0;

  constructor(printing: JobPrinting, style: TextStyle, order: number) {
    this.#printing = printing;
    this.#style = style;
    this.#prefix = style.prefixWidth === 0 ? '' : prefixOf(printing.record.name, style, order);
  }

  rows(section: LogSection, rows: readonly LogRow[]): void | Promise<void> {
    let text = this.#enter(section);
    for (const row of rows) text += this.#row(row);
    return this.#printing.write(text);
  }

  step(change: StepChange): void {
    const step = recordStep(this.#printing.record, change);
    const name = nameText(stageName(change.stage, change.name));
    if (change.kind === 'started') {
      this.#section = keyOf({ kind: 'step', index: change.index, stage: change.stage });
      this.#depth = 0;
      return this.#say(`${mark('started', this.#style)} ${painted(this.#cut(name), 'bold', this.#style)}`);
    }
    const time = change.conclusion === 'skipped' ? 'skipped' : durationText(step.durationMs ?? 0);
    const reason = change.reason === undefined ? '' : `: ${nameText(change.reason)}`;
    const isForgiven = change.outcome === 'failure' && change.conclusion === 'success';
    const note = isForgiven ? ', failed but continue-on-error' : '';
    return this.#say(
      `${mark(isForgiven ? 'failure' : change.conclusion, this.#style)} ${this.#cut(name)} ${painted(`(${time}${note})`, 'dim', this.#style)}${reason}`,
    );
  }

  summary(stepIndex: number, markdown: string): void {
    const step = this.#printing.record.steps.findLast(({ index }) => index === stepIndex);
    const lines = markdown.trimEnd().split(/\r?\n/);
    const shown = this.#style.verbose ? lines : lines.slice(0, summaryLines);
    const title = step === undefined ? 'Summary' : `Summary of ${nameText(step.name)}`;
    const bar = painted(this.#style.unicode ? '│' : '|', 'dim', this.#style);
    this.#say(`  ${painted(this.#cut(title), 'bold', this.#style)}`);
    for (const line of shown) this.#say(`  ${bar} ${terminalText(line, this.#style)}`.trimEnd());
    if (shown.length < lines.length) {
      this.#say(`  ${bar} ${painted(`${lines.length - shown.length} more lines`, 'dim', this.#style)}`);
    }
  }

  finished(result: JobResult, durationMs: number): void {
    const { record } = this.#printing;
    record.result = result;
    record.durationMs = durationMs;
    const time = result === 'skipped' ? '' : ` ${painted(`(${durationText(durationMs)})`, 'dim', this.#style)}`;
    this.#say(`${mark(result, this.#style)} Job ${this.#cut(nameText(record.name))}: ${result}${time}`);
  }

  /** Steps have said that they start; the parts around them have not. */
  #enter(section: LogSection): string {
    const key = keyOf(section);
    if (key === this.#section) return '';
    this.#section = key;
    this.#depth = 0;
    if (section.kind === 'step') return '';
    const title = section.kind === 'set-up' ? 'Set up job' : 'Complete job';
    return this.#line(`${mark('started', this.#style)} ${painted(title, 'bold', this.#style)}`);
  }

  #row(row: LogRow): string {
    if (row.text.startsWith('##[endgroup]')) {
      this.#depth = Math.max(0, this.#depth - 1);
      return '';
    }
    const indent = '  '.repeat(1 + Math.min(this.#depth, 8));
    const time = this.#style.verbose
      ? painted(`${new Date(row.atMs).toISOString().slice(11, 23)} `, 'dim', this.#style)
      : '';
    if (row.text.startsWith('##[group]')) {
      this.#depth += 1;
      const title = terminalText(row.text.slice('##[group]'.length), this.#style);
      return this.#line(`${time}${indent}${mark('group', this.#style)} ${painted(title, 'bold', this.#style)}`);
    }
    return this.#line(time + indent + this.#coloured(row.text));
  }

  #coloured(row: string): string {
    for (const { prefix, label, colour } of rowKinds) {
      if (!row.startsWith(prefix)) continue;
      return painted(label + terminalText(row.slice(prefix.length), { colors: false }), colour, this.#style);
    }
    return terminalText(row, this.#style);
  }

  #say(text: string): void {
    // Few and short, so nobody has to wait; the next rows do.
    void this.#printing.write(this.#line(text));
  }

  #line(text: string): string {
    return `${`${this.#prefix}${text}`.trimEnd()}\n`;
  }

  /** Names fit into the terminal together with what stands around them. */
  #cut(name: string): string {
    const { columns, prefixWidth } = this.#style;
    return cutTo(name, columns === 0 ? 200 : Math.max(20, columns - prefixWidth - 25));
  }
}

function prefixOf(name: string, style: TextStyle, order: number): string {
  const text = padTo(cutTo(nameText(name), style.prefixWidth), style.prefixWidth);
  const colour = prefixColours[order % prefixColours.length] ?? 'cyan';
  return `${painted(`${text} ${style.unicode ? '│' : '|'}`, colour, style)} `;
}

function keyOf(section: LogSection): string {
  return section.kind === 'step' ? `${section.stage} ${section.index}` : section.kind;
}
