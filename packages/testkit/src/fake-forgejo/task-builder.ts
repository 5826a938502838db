import { parse, stringify } from 'yaml';
import { z } from 'zod';

/** A job that waits on the instance, as a test wants it. */
export interface JobSpec {
  /**
   * YAML of a workflow with one job, or of the job alone (`runs-on`, `steps`, …), indented as it stands in a test. Bytes are
   * handed out as they are, with `runsOn` and `steps` beside them: for payloads that nobody can read.
   */
  readonly workflow: string | Uint8Array;
  /** What `runs-on` asks for, where it cannot be read from the workflow. */
  readonly runsOn?: readonly string[];
  /** How many steps there are, where it cannot be read from the workflow. */
  readonly steps?: number;
  /** `owner/name`. Default `test/repository`. */
  readonly repository?: string;
  /** Under `jobs`, where the workflow is that of a job alone. Default `job`. */
  readonly id?: string;
  /** What others ask for this attempt with. Made up, where it is missing. */
  readonly handle?: string;
  /** Of the run; higher ones go first. Default 0. */
  readonly priority?: number;
  /** Of jobs with the same name one runs at a time. */
  readonly concurrencyGroup?: string;
  /** Laid over the context that the server makes. */
  readonly context?: Readonly<Record<string, unknown>>;
  readonly event?: string;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly vars?: Readonly<Record<string, string>>;
}

/** A job as the server keeps it. */
export interface BuiltJob {
  readonly payload: Uint8Array;
  readonly runsOn: readonly string[];
  /** Missing where nobody knows. */
  readonly steps?: number;
  readonly id: string;
  readonly workflowName: string;
  /** Whether the job wants to run although a job that it needs failed. */
  readonly hasCondition: boolean;
}

const jobSchema = z.looseObject({
  'runs-on': z.union([
    z.string(),
    z.array(z.string()),
    z.looseObject({ labels: z.union([z.string(), z.array(z.string())]) }),
  ]),
  steps: z.array(z.unknown()).optional(),
  if: z.unknown().optional(),
});
const workflowSchema = z.looseObject({
  name: z.string().optional(),
  jobs: z.record(z.string(), jobSchema).refine((jobs) => Object.keys(jobs).length === 1, 'expected one job'),
});

/**
 * Makes of a few lines what a server would have made of a workflow file.
 *
 * @throws Error where the workflow is no YAML of one job; hand over bytes where this is what the test is about.
 */
export function buildJob(spec: JobSpec): BuiltJob {
  const { workflow } = spec;
  if (typeof workflow !== 'string') {
    return {
      payload: workflow,
      runsOn: spec.runsOn ?? [],
      id: spec.id ?? 'job',
      workflowName: 'workflow.yml',
      hasCondition: false,
      ...(spec.steps === undefined ? {} : { steps: spec.steps }),
    };
  }
  const value: unknown = parse(workflow);
  const isWhole = typeof value === 'object' && value !== null && 'jobs' in value;
  const whole = isWhole ? value : { on: spec.event ?? 'push', jobs: { [spec.id ?? 'job']: value } };
  const { name, jobs } = workflowSchema.parse(whole);
  const [entry] = Object.entries(jobs);
  if (entry === undefined) throw new Error('expected one job');
  const [id, job] = entry;
  return {
    payload: new TextEncoder().encode(isWhole ? workflow : stringify(whole)),
    runsOn: spec.runsOn ?? labelsOf(job['runs-on']),
    steps: spec.steps ?? job.steps?.length ?? 0,
    id,
    workflowName: name ?? 'workflow.yml',
    hasCondition: job.if !== undefined,
  };
}

function labelsOf(runsOn: z.infer<typeof jobSchema>['runs-on']): readonly string[] {
  if (typeof runsOn === 'string') return [runsOn];
  if (Array.isArray(runsOn)) return runsOn;
  return labelsOf(runsOn.labels);
}
