import type { Annotation } from '../log/annotations.ts';
import { annotationRows } from '../log/annotations.ts';
import type { JobResult } from '../report/job-report.ts';
import { mark, painted, type TextStyle } from './print-text.ts';
import { type JobRecord, type RunRecord, stageName } from './run-record.ts';
import { cutTo, displayWidth, durationText, nameText, padTo } from './terminal-text.ts';

/** The end of a run as people read it: jobs and their steps with results and times, what was remarked, the count. */
export function runSummary(record: RunRecord, durationMs: number, style: TextStyle): string {
  const entries = record.jobs.flatMap((job) => entriesOf(job));
  const limit = style.columns === 0 ? 80 : Math.max(20, style.columns - 24);
  const names = entries.map(({ indent, name }) => indent + cutTo(name, limit - indent.length));
  const nameWidth = Math.max(0, ...names.map(displayWidth));
  const timeWidth = Math.max(0, ...entries.map(({ time }) => time.length));
  const lines = entries.map((entry, index) => {
    const name = padTo(names[index] ?? '', nameWidth);
    const sign = mark(entry.result, style);
    const line = `${entry.indent}${sign} ${name.slice(entry.indent.length)}  ${entry.time.padStart(timeWidth)}  ${entry.note}`;
    return line.trimEnd();
  });
  const remarks = record.jobs.flatMap((job) => remarksOf(job, style));
  const parts = [
    '',
    painted('Summary', 'bold', style),
    ...lines,
    ...remarks,
    ...artifactLines(record),
    totals(record, durationMs),
    '',
  ];
  return parts.join('\n');
}

interface Entry {
  readonly indent: string;
  readonly name: string;
  readonly result: JobResult;
  readonly time: string;
  readonly note: string;
}

function entriesOf(job: JobRecord): readonly Entry[] {
  const result = job.result ?? 'cancelled';
  const time = job.durationMs === undefined || result === 'skipped' ? '' : durationText(job.durationMs);
  const entries: Entry[] = [{ indent: '', name: nameText(job.name), result, time, note: result }];
  for (const step of job.steps) {
    const conclusion = step.conclusion ?? 'cancelled';
    const isForgiven = step.outcome === 'failure' && conclusion === 'success';
    const why = step.reason === undefined ? '' : nameText(step.reason);
    entries.push({
      indent: '  ',
      name: nameText(stageName(step.stage, step.name)),
      result: isForgiven ? 'failure' : conclusion,
      time: step.durationMs === undefined || conclusion === 'skipped' ? '' : durationText(step.durationMs),
      note: isForgiven ? `continue-on-error${why === '' ? '' : `: ${why}`}` : why || noteOf(conclusion),
    });
  }
  return entries;
}

function noteOf(result: JobResult): string {
  return result === 'success' ? '' : result;
}

function remarksOf(job: JobRecord, style: TextStyle): readonly string[] {
  const shown = job.annotations.filter(({ level }) => level !== 'notice');
  if (shown.length === 0) return [];
  const lines = shown.map((annotation) => `  ${remarkLine(annotation, style)}`);
  if (job.moreAnnotations > 0) lines.push(`  and ${job.moreAnnotations} more`);
  return ['', `Remarks of ${nameText(job.name)}`, ...lines];
}

function remarkLine(annotation: Annotation, style: TextStyle): string {
  const [first = '', ...more] = annotationRows(annotation);
  const text = nameText(first.slice(first.indexOf(']') + 1)) + (more.length > 0 ? ' …' : '');
  const label = annotation.level === 'error' ? 'Error' : 'Warning';
  return `${painted(`${label}:`, annotation.level === 'error' ? 'red' : 'yellow', style)} ${cutTo(text, 200)}`;
}

function artifactLines({ artifacts }: RunRecord): readonly string[] {
  if (artifacts.length === 0) return [];
  const lines = artifacts.map(({ name, size, path }) => {
    const where = path === undefined ? '' : `: ${nameText(path)}`;
    return `  ${cutTo(nameText(name), 60)} (${size.toLocaleString('en')} bytes)${where}`;
  });
  const isKept = artifacts.some(({ path }) => path !== undefined);
  return ['', isKept ? 'Artifacts' : 'Artifacts, which end with this run; --artifacts keeps them', ...lines];
}

function totals(record: RunRecord, durationMs: number): string {
  const counts: string[] = [];
  for (const [result, word] of resultWords) {
    const count = record.jobs.filter((job) => (job.result ?? 'cancelled') === result).length;
    if (count > 0) counts.push(`${count} ${word}`);
  }
  const jobs = record.jobs.length === 1 ? '1 job' : `${record.jobs.length} jobs`;
  return `\n${jobs}${counts.length > 0 ? `: ${counts.join(', ')}` : ''}, ${durationText(durationMs)}`;
}

const resultWords: readonly (readonly [JobResult, string])[] = [
  ['failure', 'failed'],
  ['cancelled', 'cancelled'],
  ['success', 'succeeded'],
  ['skipped', 'skipped'],
];
