import type { ObservedRun } from './check-workflow-run.ts';
import type { Finished } from './run-program.ts';
import type { ExpectedResult } from './workflow-expectation.ts';

interface Event {
  readonly type: string;
  readonly name: string;
  readonly step: number;
  readonly stage?: string;
  readonly section?: string;
  readonly text: string;
  readonly stepName: string;
  readonly outcome: ExpectedResult;
  readonly conclusion: ExpectedResult;
  readonly result: ExpectedResult;
  readonly outputs?: Readonly<Record<string, string>>;
}

interface Step {
  name: string;
  outcome: ExpectedResult;
  conclusion: ExpectedResult;
  readonly rows: string[];
}

interface Job {
  readonly name: string;
  result: ExpectedResult;
  readonly steps: Step[];
  outputs?: Readonly<Record<string, string>>;
}

/** Reads what `exec --json` printed. */
export function observeJson({ code, stdout, stderr }: Finished): ObservedRun {
  const jobs = new Map<string, Job>();
  const texts: string[] = [];
  for (const line of stdout.split('\n').filter(Boolean)) {
    // Every line is an object of the shape that docs/reference describes; another one fails the case that it is of.
    const event = JSON.parse(line) as Event;
    texts.push(...stringsOf(event));
    if (event.type !== 'run-finished') observe(jobOf(jobs, event.name), event);
  }
  // Raw as well: what must not appear may not appear in a form that JSON gives it either.
  return { succeeded: code === 0, jobs: [...jobs.values()], printed: [...texts, stdout, stderr].join('\n') };
}

function jobOf(jobs: Map<string, Job>, name: string): Job {
  const job: Job = jobs.get(name) ?? { name, result: 'cancelled', steps: [] };
  jobs.set(name, job);
  return job;
}

function observe(job: Job, event: Event): void {
  if (event.type === 'job-finished') {
    job.result = event.result;
    if (event.outputs !== undefined) job.outputs = event.outputs;
  }
  if (event.stage !== 'main') return;
  const step = (job.steps[event.step] ??= { name: '', outcome: 'cancelled', conclusion: 'cancelled', rows: [] });
  if (event.type === 'row') step.rows.push(event.text);
  if (event.type === 'step-started' || event.type === 'step-finished') step.name = event.stepName;
  if (event.type !== 'step-finished') return;
  step.outcome = event.outcome;
  step.conclusion = event.conclusion;
}

function stringsOf(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(stringsOf) : [];
}
