import { toText } from '../expressions/values.ts';
import type { FinishedJob } from '../job/run-job.ts';
import type { LogSection } from '../report/job-report.ts';
import type { JobPrinting, PrintedJob } from './printed-job.ts';
import { recordAnnotation, recordStep, type RunRecord, runResult } from './run-record.ts';

/** Prints one job as JSON, an object a line. `docs/reference/exec-json.md` has the schema. */
export function jsonJob({ record, write, now }: JobPrinting): PrintedJob {
  const job = { job: record.id, name: record.name };
  const say = (type: string, atMs: number, fields: object): void | Promise<void> =>
    write(line(type, atMs, { ...job, ...fields }));
  void say('job-started', now(), {});
  return {
    rows: (section, rows) => {
      const where = sectionFields(section);
      return write(rows.map(({ atMs, text }) => line('row', atMs, { ...job, ...where, text })).join(''));
    },
    step: (change) => {
      const { durationMs = 0 } = recordStep(record, change);
      const { kind, atMs, name: stepName, index, ...fields } = change;
      const times = kind === 'finished' ? { durationMs } : {};
      void say(`step-${kind}`, atMs, { step: index, ...fields, stepName, ...times });
    },
    annotation: (annotation) => {
      recordAnnotation(record, annotation);
      void say('annotation', now(), annotation);
    },
    summary: (step, markdown) => {
      void say('step-summary', now(), { step, markdown });
    },
    finished: ({ result, outputs }, durationMs) => {
      record.result = result;
      record.durationMs = durationMs;
      void say('job-finished', now(), { result, durationMs, outputs: textsOf(outputs) });
    },
  };
}

/** The last line of a run. */
export function jsonRunFinished(record: RunRecord, durationMs: number, atMs: number): string {
  const jobs = record.jobs.map(({ id, name, result, durationMs: jobMs }) => ({
    job: id,
    name,
    result: result ?? 'cancelled',
    durationMs: jobMs ?? 0,
  }));
  const { artifacts } = record;
  return line('run-finished', atMs, { result: runResult(record), durationMs, jobs, artifacts });
}

function textsOf(outputs: FinishedJob['outputs']): Readonly<Record<string, string>> {
  return Object.fromEntries([...outputs].map(([name, value]) => [name, toText(value)]));
}

function line(type: string, atMs: number, fields: object): string {
  return `${JSON.stringify({ type, time: new Date(atMs).toISOString(), ...fields })}\n`;
}

function sectionFields(section: LogSection): object {
  if (section.kind !== 'step') return { section: section.kind };
  return { section: 'step', step: section.index, stage: section.stage };
}
