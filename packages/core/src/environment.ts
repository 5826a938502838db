import type { CallContext } from './call-context.ts';
import type { BuildRequest, Container, ServiceContainer, StepContainer } from './containers.ts';
import type { DockerEndpointDescriptor } from './docker-endpoint.ts';
import type { ResolvedLabel } from './label.ts';
import type { Str } from './open-union.ts';
import type { Owner, RemoveReport } from './ownership.ts';
import type { JobContainerSpec, JobPlan, ServiceContainerSpec, StepContainerSpec } from './plan.ts';
import type { Target } from './target.ts';

/** Everything a backend needs to have the place of one job made. */
export interface EnvironmentRequest {
  /** At most 40 characters of `a-z`, `0-9` and `-`, another one for each attempt. Chosen before anything is created. */
  readonly name: string;
  readonly task: {
    readonly id: string;
    readonly attempt: number;
    readonly repository: string;
    readonly workflow: string;
    readonly job: string;
  };
  readonly owner: Owner;
  readonly label: ResolvedLabel;
  readonly plan: JobPlan;
  /** End of its life in milliseconds since the epoch. The backend enforces it itself: the runner may be dead by then. */
  readonly expiresAt: number;
}

/** Operating system, in the words of `runner.os`. */
export type RunnerOs = Str<'Linux' | 'Windows' | 'macOS' | 'FreeBSD'>;

/** Processor architecture, in the words of `runner.arch`. */
export type RunnerArch = Str<'X86' | 'X64' | 'ARM' | 'ARM64'>;

/** What the inside of an environment looks like. All paths are absolute there, exist, and differ from each other. */
export interface EnvironmentInfo {
  readonly os: RunnerOs;
  readonly arch: RunnerArch;
  readonly hostname?: string;
  readonly paths: {
    readonly workspace: string;
    readonly temp: string;
    readonly toolCache: string;
    /** For the runner's own files: scripts, command files, the event. */
    readonly runner: string;
    readonly home: string;
  };
  readonly env: {
    readonly caseInsensitive: boolean;
    /** How the variable with the search path is spelled: `PATH` or `Path`. */
    readonly pathName: string;
    readonly pathSeparator: ':' | ';';
    readonly defaultPath: string;
  };
  readonly pathStyle: 'posix' | 'win32';
  /** How a process inside reaches the runner. */
  readonly runnerAddress?: string;
}

/** Is it still there, and if not, why. */
export interface Liveness {
  readonly alive: boolean;
  readonly reason?: Str<'oom' | 'evicted' | 'expired' | 'stopped' | 'unknown'>;
  readonly detail?: string;
}

/**
 * The `runs-on` layer of one job: made by {@link Backend.createEnvironment}, removed with everything inside it.
 *
 * The runner calls in this order: services in parallel, job container, every `waitReady`, execs one at a time, step
 * containers in between, then the removals. Calls overlap only as exec with `state`, exec with `copyOut`, and anything
 * with `remove`.
 */
export interface ExecutionEnvironment extends AsyncDisposable {
  readonly id: string;
  readonly name: string;
  readonly info: EnvironmentInfo;
  /** Absent only where the job container of the plan replaces the machine. */
  readonly target?: Target;
  readonly createJobContainer?: (spec: JobContainerSpec, ctx: CallContext) => Promise<Container>;
  readonly createServiceContainer?: (spec: ServiceContainerSpec, ctx: CallContext) => Promise<ServiceContainer>;
  readonly createStepContainer?: (spec: StepContainerSpec, ctx: CallContext) => Promise<StepContainer>;
  readonly buildImage?: (request: BuildRequest, ctx: CallContext) => Promise<{ readonly image: string }>;
  readonly dockerEndpoint?: (ctx: CallContext) => Promise<DockerEndpointDescriptor>;
  readonly state: (ctx: CallContext) => Promise<Liveness>;
  /**
   * Removes the environment and everything in it. Idempotent, safe after a partial failure and while an exec unwinds.
   * `ctx` is the runner's own clean-up context, never the job's. What cannot be removed is reported, not thrown.
   */
  readonly remove: (ctx: CallContext) => Promise<RemoveReport>;
}
