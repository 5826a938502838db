import type { CallContext } from './call-context.ts';
import type { DockerEndpointDescriptor } from './docker-endpoint.ts';
import type { EnvironmentRequest, ExecutionEnvironment } from './environment.ts';
import type { LabelConfiguration, ResolvedLabel } from './label.ts';
import type { PruneReport, PruneRequest, RecoverRequest, SweepReport, SweepRequest } from './ownership.ts';

/** Name of a backend in labels and in the configuration: `host`, `docker`, `k8s`. */
export type BackendId = string;

/** How the platform behind a backend is. `freeSlots` is how many more environments it would take now, where known. */
export interface BackendHealth {
  readonly status: 'ok' | 'degraded' | 'down';
  readonly detail?: string;
  readonly freeSlots?: number;
}

/**
 * Makes environments of one kind. Lives as long as the runner, serves many jobs at once, and may keep clients, caches
 * and watches. Disposing it closes those; environments are removed one by one before that.
 */
export interface Backend extends AsyncDisposable {
  readonly id: BackendId;
  /**
   * Validates one label and says what it can do. Called at start-up for every label, so that a wrong one stops the
   * runner and not a job.
   *
   * @throws BackendError `label` with all issues.
   */
  readonly resolveLabel: (label: LabelConfiguration, ctx: CallContext) => Promise<ResolvedLabel>;
  /**
   * Provisions and boots; resolves when the target, or the job container of the plan, accepts execs. When it fails or
   * `ctx.signal` aborts it removes what it made, and leaves sweepable what it could not remove.
   *
   * @throws BackendError `capacity`, `image`, `auth`, `unavailable`, `plan`, `timeout`, `cancelled` or `internal`.
   */
  readonly createEnvironment: (request: EnvironmentRequest, ctx: CallContext) => Promise<ExecutionEnvironment>;
  /** Removes what earlier processes of this runner left, and nothing else. */
  readonly sweep: (request: SweepRequest, ctx: CallContext) => Promise<SweepReport>;
  /**
   * Removes what is kept between jobs and was not used lately. The runner calls it at start-up and once a day, and for
   * the command `prune`; jobs may run meanwhile. A backend that keeps nothing leaves it out.
   */
  readonly prune?: (request: PruneRequest, ctx: CallContext) => Promise<PruneReport>;
  /** Answers within five seconds, with `down` rather than a rejection where the platform is away. */
  readonly health: (ctx: CallContext) => Promise<BackendHealth>;
  /**
   * Endpoints that its environments hand out and that outlive them, such as an engine on this machine. The runner has
   * its Docker driver sweep there at start-up.
   */
  readonly dockerEndpoints?: (ctx: CallContext) => Promise<readonly DockerEndpointDescriptor[]>;
  /** Takes up environments of an earlier process. Exists if and only if a label has the capability `recover`. */
  readonly recover?: (request: RecoverRequest, ctx: CallContext) => Promise<readonly ExecutionEnvironment[]>;
}

/** The backends of one runner, by id. Owned by the runner and passed around, never global. */
export interface BackendRegistry extends AsyncDisposable {
  readonly get: (id: BackendId) => Backend | undefined;
  readonly all: () => readonly Backend[];
}
