import type { Backend, DockerDriver, Logger, Owner } from '@forgejo-runner/core';
import { callContext, type ReferenceBackend, referenceBackend } from '@forgejo-runner/testkit';
import type { ActionsRuntime } from '../src/environment/runner-facts.ts';
import { writeFiles } from '../src/environment/target-files.ts';
import { fromJsonValue, type Value, type ValueMap } from '../src/expressions/values.ts';
import type { FinishedJob, JobRuntime } from '../src/job/run-job.ts';
import type { WorkflowSources } from '../src/graph/called-workflow.ts';
import { type RunSettings, runWorkflow } from '../src/local/run-workflow.ts';
import type { Annotation } from '../src/log/annotations.ts';
import { Masker } from '../src/log/masker.ts';
import type { ContainerPolicy } from '../src/plan/admin-policy.ts';
import type { ActionSource } from '../src/plan/job-actions.ts';
import { noOptions } from '../src/plan/option-fields.ts';
import type { ServedLabel } from '../src/plan/planned-job.ts';
import type { JobReport, JobResult, LogSection, StepChange } from '../src/report/job-report.ts';
import type { NeededJob } from '../src/task/task.ts';
import { parseWorkflow } from '../src/workflow/parse-workflow.ts';

/** What a test runs a workflow with; all of it may be left out. */
export interface RunYamlOptions {
  readonly backend?: ReferenceBackend;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly vars?: Readonly<Record<string, string>>;
  readonly inputs?: Readonly<Record<string, unknown>>;
  readonly github?: Readonly<Record<string, unknown>>;
  readonly envs?: Readonly<Record<string, string>>;
  /** Files of the workspace, by path. */
  readonly files?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
  readonly hurry?: AbortSignal;
  readonly graceMs?: number;
  readonly job?: string;
  readonly isDryRun?: boolean;
  readonly maxJobs?: number;
  readonly debug?: boolean;
  readonly actionsRuntime?: ActionsRuntime;
  /** Where called workflows come from. */
  readonly workflows?: WorkflowSources;
  readonly fillWorkspace?: JobRuntime['fillWorkspace'];
  readonly actions?: ActionSource;
  readonly policy?: ContainerPolicy;
  readonly driver?: DockerDriver;
  /** Identity of the runner, where what it makes outlives the process. */
  readonly runner?: string;
  /** Gets all that {@link SeenJob} sees, and may hold up the job. */
  readonly report?: JobReport;
}

/** An administrator who lets jobs mount everything, and wants nothing. */
export const openPolicy: ContainerPolicy = {
  defaults: noOptions,
  granted: [],
  privileged: false,
  validVolumes: ['**'],
  forcePull: false,
};

/** A job as its report saw it, up to now. */
export class SeenJob {
  readonly id: string;
  readonly name: string;
  readonly rows: { readonly section: LogSection; readonly text: string }[] = [];
  readonly changes: StepChange[] = [];
  readonly annotations: Annotation[] = [];
  readonly summaries: string[] = [];
  result: JobResult | undefined;
  outputs: FinishedJob['outputs'] | undefined;

  constructor(id: string, name: string) {
    this.id = id;
    this.name = name;
  }

  /** Rows of the part of the log that is neither set-up nor end, or of one step. */
  steps(index?: number): readonly string[] {
    return this.rows
      .filter(({ section }) => section.kind === 'step' && (index === undefined || section.index === index))
      .map(({ text }) => text);
  }

  section(kind: 'set-up' | 'complete'): readonly string[] {
    return this.rows.filter(({ section }) => section.kind === kind).map(({ text }) => text);
  }

  /** `outcome/conclusion` of the steps that ended, by position. */
  results(): readonly string[] {
    const results: string[] = [];
    for (const change of this.changes)
      if (change.kind === 'finished') results[change.index] = `${change.outcome}/${change.conclusion}`;
    return results;
  }

  text(): string {
    return this.rows.map(({ text }) => text).join('\n');
  }
}

/** A run that goes on. */
export interface StartedRun {
  readonly done: Promise<ReadonlyMap<string, NeededJob>>;
  readonly jobs: SeenJob[];
  readonly backend: ReferenceBackend;
  readonly logged: ReturnType<typeof callContext>['logged'];
  /** The only job, or the one of this id. */
  readonly job: (id?: string) => SeenJob;
  readonly masker: Masker;
}

/** Starts the workflow of a YAML text on a reference backend that serves the label `here`. */
export async function startYaml(yaml: string, options: RunYamlOptions = {}): Promise<StartedRun> {
  const backend = options.backend ?? referenceBackend();
  const ctx = callContext();
  const masker = new Masker();
  for (const secret of Object.values(options.secrets ?? {})) masker.add(secret);
  const jobs: SeenJob[] = [];
  const owner = { runner: options.runner ?? 'runner', boot: 'boot' };
  const label = await serve(backend, owner, ctx.log);
  const settings: RunSettings = {
    github: new Map([['repository', 'me/mine'], ['token', ''], ...contextOf(options.github)]),
    inputs: contextOf(options.inputs),
    secrets: new Map(Object.entries(options.secrets ?? {})),
    vars: new Map(Object.entries(options.vars ?? {})),
    labels: { get: (name) => (name === 'here' ? label : undefined), names: () => ['here'] },
    maxTimeoutMs: 3_600_000,
    policy: options.policy ?? openPolicy,
    ...(options.actions === undefined ? {} : { actions: options.actions }),
    maxJobs: options.maxJobs ?? 4,
    isDryRun: options.isDryRun ?? false,
    ...(options.workflows === undefined ? {} : { workflows: options.workflows }),
    signal: options.signal ?? new AbortController().signal,
    openReport: ({ id, name }) => {
      const seen = new SeenJob(id, name);
      jobs.push(seen);
      return {
        rows: (section, rows) => {
          seen.rows.push(...rows.map(({ text }) => ({ section, text })));
          return options.report?.rows(section, rows);
        },
        step: (change) => {
          seen.changes.push(change);
          options.report?.step(change);
        },
        annotation: (annotation) => {
          seen.annotations.push(annotation);
          options.report?.annotation(annotation);
        },
        summary: (index, markdown) => {
          seen.summaries.push(markdown);
          options.report?.summary(index, markdown);
        },
        finished: (ended) => {
          seen.result = ended.result;
          seen.outputs = ended.outputs;
        },
      };
    },
    runtime: {
      owner,
      ...(options.driver === undefined ? {} : { driver: options.driver }),
      log: ctx.log,
      masker,
      graceMs: options.graceMs ?? 30_000,
      ...(options.hurry === undefined ? {} : { hurry: options.hurry }),
      runner: {
        name: 'tester',
        version: 'v0',
        debug: options.debug ?? false,
        ...(options.actionsRuntime === undefined ? {} : { actionsRuntime: options.actionsRuntime }),
        envs: new Map(Object.entries(options.envs ?? {})),
      },
      fillWorkspace: options.fillWorkspace ?? fillWith(options.files ?? {}),
    },
  };
  const job = (id?: string): SeenJob => {
    const found = id === undefined ? jobs[0] : jobs.find((seen) => seen.id === id);
    if (found === undefined) throw new Error(`expected the job ${id}, found ${jobs.map((seen) => seen.id).join(', ')}`);
    return found;
  };
  const done = runWorkflow(parseWorkflow(yaml, 'w.yml'), options.job, settings);
  return { done, jobs, backend, logged: ctx.logged, job, masker };
}

/** What came of a run. */
export interface RanYaml extends StartedRun {
  readonly results: ReadonlyMap<string, NeededJob>;
}

/** Runs a workflow to its end. */
export async function runYaml(yaml: string, options: RunYamlOptions = {}): Promise<RanYaml> {
  const started = await startYaml(yaml, options);
  return { ...started, results: await started.done };
}

/** Runs the steps, written as YAML, as the only job of a workflow. */
export async function runSteps(
  steps: string,
  options: RunYamlOptions & { readonly head?: string } = {},
): Promise<RanYaml> {
  return runYaml(jobOf(steps, options.head), options);
}

/** A workflow with one job. `head` are further keys of the job. */
export function jobOf(steps: string, head = ''): string {
  return `on: push\njobs:\n  one:\n    runs-on: here\n${indent(head, '    ')}\n    steps:\n${indent(steps, '      ')}\n`;
}

/** Lines further to the right; those of a block stay as far below it. */
export function indent(text: string, by: string): string {
  return text
    .replace(/^\n+/, '')
    .trimEnd()
    .replaceAll(/^(?=.)/gm, by);
}

/** Opens a backend and its label `here`. */
async function serve({ factory }: ReferenceBackend, owner: Owner, log: Logger): Promise<ServedLabel> {
  const ctx = { ...callContext(), log };
  const backend: Backend = await factory.create(
    { config: {}, owner, stateDir: '/nowhere', apiVersion: '1.0.0', addMask: () => {} },
    ctx,
  );
  const configuration = { name: 'here', backend: factory.id, options: {}, form: 'string' } as const;
  return { configuration, backend, resolved: await backend.resolveLabel(configuration, ctx) };
}

function fillWith(files: Readonly<Record<string, string>>): NonNullable<JobRuntime['fillWorkspace']> {
  return async (place, signal) => {
    using ctx = place.call(signal, 60_000);
    const list = Object.entries(files).map(([path, content]) => ({ path, content }));
    await writeFiles(place.target, place.info.paths.workspace, list, ctx);
  };
}

function contextOf(fields: Readonly<Record<string, unknown>> = {}): ValueMap {
  return new Map(Object.entries(fields).map(([name, value]): [string, Value] => [name, fromJsonValue(value)]));
}
