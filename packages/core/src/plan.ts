import type { ContainerField } from './capabilities.ts';
import type { Env } from './open-union.ts';

/** Login for the registry of one image. `server` is absent for the registry that the image names. */
export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
  readonly server?: string;
}

/** A volume or path of the machine inside a container. */
export interface Mount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

/** A port of a container, published at `host` or at a free port. */
export interface Port {
  readonly container: number;
  readonly host?: number;
  readonly protocol: 'tcp' | 'udp';
}

/** When a service counts as ready. `image` takes the check of the image, `none` needs none. Times are milliseconds. */
export interface Healthcheck {
  readonly test: readonly string[] | 'image' | 'none';
  readonly intervalMs: number;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly startPeriodMs: number;
}

/** A container as the workflow and the administrator want it, after every limit of the administrator was applied. */
export interface ContainerSpec {
  readonly image: string;
  readonly pull: 'missing' | 'always' | 'never';
  readonly credentials?: RegistryCredentials;
  readonly env: Env;
  readonly mounts: readonly Mount[];
  readonly ports: readonly Port[];
  /** Absent: the image's own; for job containers the backend's idle process. */
  readonly entrypoint?: readonly string[];
  readonly cmd?: readonly string[];
  readonly options: Readonly<
    Partial<
      Record<Exclude<ContainerField, 'env' | 'ports' | 'volumes' | 'credentials' | 'entrypoint' | 'cmd'>, unknown>
    >
  >;
}

/** The container that `jobs.<id>.container` asks for. */
export interface JobContainerSpec extends ContainerSpec {
  readonly kind: 'job';
}

/** A container that `jobs.<id>.services` asks for. */
export interface ServiceContainerSpec extends ContainerSpec {
  readonly kind: 'service';
  readonly id: string;
  /** Names under which steps expect to reach it. */
  readonly aliases: readonly string[];
  readonly healthcheck: Healthcheck;
}

/** The container of one step: a Docker action, or `uses: docker://`. */
export interface StepContainerSpec extends ContainerSpec {
  readonly kind: 'step';
  readonly stepId: string;
  readonly workdir: string;
}

/**
 * The containers of a job, known before anything boots, so that a pod or a machine can be laid out at once. What the
 * `create*` methods of an environment get later is always an element of this plan.
 */
export interface JobPlan {
  readonly jobContainer?: JobContainerSpec;
  readonly services: readonly ServiceContainerSpec[];
  /** `unknown`: a local action is not read before the checkout, and may turn out to be a Docker action. */
  readonly stepContainers: 'none' | 'run' | 'build' | 'unknown';
}
