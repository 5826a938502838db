// api-version.d.ts

/** Major version of the backend contract. It is also the major version of this package and of the registry. */
export declare const apiMajor = 1;
/** Version of the contract that this copy of the package describes, as `FactoryInput.apiVersion` hands it to backends. */
export declare const apiVersion = '1.0.0';

// backend.d.ts

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

// call-context.d.ts

/**
 * Takes a piece of output. What it returns is awaited before the next piece is offered: that is the back-pressure,
 * all the way to the process that writes. Chunks may break lines and UTF-8 sequences anywhere.
 */
export type OutputSink = (chunk: Uint8Array) => void | PromiseLike<void>;
/** The process log of the runner, for its administrator. Secrets are redacted by the runner. */
export interface Logger {
  readonly debug: (msg: string, fields?: object) => void;
  readonly info: (msg: string, fields?: object) => void;
  readonly warn: (msg: string, fields?: object) => void;
  readonly error: (msg: string, fields?: object) => void;
}
/** What comes with every call across the contract. Made anew for each call and never kept after it. */
export interface CallContext {
  /** Aborts when a user cancels, a time limit passes or the runner shuts down. */
  readonly signal: AbortSignal;
  /** When `signal` will abort by itself, in milliseconds since the epoch. */
  readonly deadline: number;
  readonly log: Logger;
  /** Progress for the reader of the job log, under "Set up job". The runner masks it. */
  readonly progress: OutputSink;
  readonly emit: (event: BackendEvent) => void;
  /** Trace context of the caller, as in W3C Trace Context. */
  readonly traceparent?: string;
}
/** Something that happened inside a backend, for metrics and traces. Attributes carry ids only, never values of a job. */
export interface BackendEvent {
  readonly type: Str<
    | 'phase'
    | 'image.pull'
    | 'image.build'
    | 'capacity.wait'
    | 'service.health'
    | 'exec.start'
    | 'exec.end'
    | 'resource.created'
    | 'resource.removed'
  >;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly environment?: string;
  readonly attributes: Readonly<Record<string, string | number | boolean>>;
}

// capabilities.d.ts

/** A field of a container's specification that a backend may or may not honour. */
export type ContainerField = Str<
  | 'env'
  | 'ports'
  | 'volumes'
  | 'credentials'
  | 'entrypoint'
  | 'cmd'
  | 'user'
  | 'workdir'
  | 'init'
  | 'tty'
  | 'healthcheck'
  | 'hostname'
  | 'platform'
  | 'memory'
  | 'cpus'
  | 'shmSize'
  | 'tmpfs'
  | 'ulimits'
  | 'capAdd'
  | 'capDrop'
  | 'privileged'
  | 'extraHosts'
>;
/**
 * How containers of a job come about.
 *
 * - `none`: not at all; a job that needs one is refused before anything starts.
 * - `docker-endpoint`: the environment hands out an endpoint and the runner's Docker driver works there.
 * - `native`: the backend makes those kinds that are `true`, honouring the listed fields and no other.
 */
export type ContainerSupport =
  | {
      readonly via: 'none';
    }
  | {
      readonly via: 'docker-endpoint';
    }
  | {
      readonly via: 'native';
      readonly job: boolean;
      readonly services: boolean;
      readonly steps: boolean;
      readonly build: boolean;
      readonly fields: readonly ContainerField[];
    };
/**
 * What one resolved label can do. The runner compares a job with it before it calls the backend, and refuses the job
 * when something is missing. A method exists if and only if its capability says so.
 */
export interface Capabilities {
  readonly containers: ContainerSupport;
  readonly exec: {
    readonly stdin: boolean;
    readonly tty: boolean;
    readonly user: boolean;
    readonly signals: boolean;
    /** An exec whose connection was lost can be taken up again without losing output. */
    readonly resume: boolean;
  };
  readonly files: {
    /** `copyIn` with `owner: 'keep'` keeps user and group ids. */
    readonly ownership: boolean;
    /** `sharedPath` gives the runner a path to the same bytes. */
    readonly shared: boolean;
  };
  readonly isolation: Str<'none' | 'container' | 'vm'>;
  /** `Backend.recover` exists. */
  readonly recover: boolean;
  /** Additions of the backend's own, such as `acme.gpu`. They inform and never gate. */
  readonly features: readonly string[];
}

// containers.d.ts

/** The job container: a target of its own that replaces the machine for every step. */
export interface Container extends Target, AsyncDisposable {
  readonly id: string;
  /** What `job.container.network` says. A name for people, never a handle for the runner. */
  readonly network?: string;
  /** What its inside looks like; absent where that is what the environment's `info` says. */
  readonly info?: EnvironmentInfo;
  readonly state: (ctx: CallContext) => Promise<Liveness>;
  readonly remove: (ctx: CallContext) => Promise<RemoveReport>;
}
/** A running service of a job. */
export interface ServiceContainer extends AsyncDisposable {
  readonly id: string;
  readonly network?: string;
  /** Names that resolve from where steps run. */
  readonly hostnames: readonly string[];
  /** Published ports, as reached from where steps run. */
  readonly ports: readonly {
    readonly container: number;
    readonly protocol: 'tcp' | 'udp';
    readonly host: string;
    readonly port: number;
  }[];
  /** Resolves when the service is healthy, or at once where it has no check. Rejects with the last output of the check. */
  readonly waitReady: (ctx: CallContext) => Promise<void>;
  readonly logs?: (sink: OutputSink, ctx: CallContext) => Promise<void>;
  readonly remove: (ctx: CallContext) => Promise<RemoveReport>;
}
/**
 * The container of one step. It finds the workspace, temp and runner folders of the target under the same paths, and
 * the services under the same names.
 */
export interface StepContainer extends AsyncDisposable {
  readonly id: string;
  /** Runs the entrypoint to its end. Called once. */
  readonly run: (io: ExecIo, ctx: CallContext) => ExecHandle;
  readonly remove: (ctx: CallContext) => Promise<RemoveReport>;
}
/** Asks for an image from a Dockerfile. `context` is a tar stream; `.dockerignore` was applied by the runner. */
export interface BuildRequest {
  readonly context: AsyncIterable<Uint8Array>;
  readonly dockerfile: string;
  readonly tag: string;
  readonly platform?: string;
  readonly buildArgs: Env;
  readonly output: OutputSink;
}

// define-backend.d.ts

/** A {@link Backend} whose label options `L` have the type that its label schema gives them. */
export interface TypedBackend<L> extends AsyncDisposable {
  /** What a label with these options can do. The options are valid already. */
  readonly describeLabel: (options: L, label: LabelConfiguration, ctx: CallContext) => Promise<Capabilities>;
  readonly createEnvironment: (
    request: EnvironmentRequest & {
      readonly options: L;
    },
    ctx: CallContext,
  ) => Promise<ExecutionEnvironment>;
  readonly sweep: Backend['sweep'];
  readonly prune?: Backend['prune'];
  readonly health: Backend['health'];
  readonly dockerEndpoints?: Backend['dockerEndpoints'];
  readonly recover?: Backend['recover'];
}
/** What {@link defineBackend} makes a factory from. `C` is its configuration, `L` the options of one label. */
export interface BackendDefinition<C, L> {
  readonly id: BackendId;
  /** One sentence for `list-backends`. */
  readonly description: string;
  /** Schema of `backend.<id>`. Make it strict, so that a misspelt key is found. */
  readonly config: StandardSchemaV1<unknown, C>;
  /** Schema of a label's options. In the string form all values are strings: let it coerce. */
  readonly label: StandardSchemaV1<unknown, L>;
  /** By default what the two schemas say of themselves, which those of zod and most others do. */
  readonly jsonSchema?: BackendFactory['jsonSchema'];
  readonly create: (config: C, input: FactoryInput, ctx: CallContext) => Promise<TypedBackend<L>>;
}
/**
 * Makes a factory and registers it for this process: the short way to a backend.
 *
 * ```ts
 * export const factory = defineBackend({
 *   id: 'tart',
 *   description: 'Runs jobs in macOS virtual machines',
 *   config: z.strictObject({ program: z.string().default('tart') }),
 *   label: z.strictObject({ image: z.string(), cpu: z.coerce.number().optional() }),
 *   create: async (config, input) => openTart(config, input),
 * });
 * ```
 *
 * @throws BackendError `config` when another package registered this id already.
 */
export declare function defineBackend<C, L>(definition: BackendDefinition<C, L>): BackendFactory;

// docker-driver.d.ts

/** What a job's containers at a delegated endpoint are made for. */
export interface DelegationRequest {
  readonly endpoint: DockerEndpointDescriptor;
  /** The environment that handed the endpoint out. Its name, owner and expiry go onto every object made there. */
  readonly environment: EnvironmentRequest;
  /** The machine behind that environment: containers find its workspace, temp and runner folders at the same paths. */
  readonly info: EnvironmentInfo;
}
/**
 * The containers of one job at an endpoint that its environment handed out. The methods mean what those of
 * {@link ExecutionEnvironment} mean; all of them exist.
 */
export interface DelegatedContainers extends AsyncDisposable {
  readonly createJobContainer: (spec: JobContainerSpec, ctx: CallContext) => Promise<Container>;
  readonly createServiceContainer: (spec: ServiceContainerSpec, ctx: CallContext) => Promise<ServiceContainer>;
  readonly createStepContainer: (spec: StepContainerSpec, ctx: CallContext) => Promise<StepContainer>;
  readonly buildImage: (
    request: BuildRequest,
    ctx: CallContext,
  ) => Promise<{
    readonly image: string;
  }>;
  /** Removes every container, network, volume and image made for the job. Idempotent; what stays is reported. */
  readonly remove: (ctx: CallContext) => Promise<RemoveReport>;
}
/**
 * Makes containers for environments whose capability is `via: 'docker-endpoint'`. There is at most one in a runner; the
 * package that has it registers it at import in {@link dockerDrivers}.
 */
export interface DockerDriver {
  readonly api: 1;
  /** The fields of a container's specification that it honours. A job that uses another one is refused. */
  readonly fields: readonly ContainerField[];
  /**
   * Connects to the endpoint of one environment. Nothing is made there yet.
   *
   * @throws BackendError `unavailable` when it does not answer, `unsupported` when it is too old.
   */
  readonly open: (request: DelegationRequest, ctx: CallContext) => Promise<DelegatedContainers>;
  /** Removes what earlier processes of this runner left at an endpoint that outlives environments. */
  readonly sweep: (endpoint: DockerEndpointDescriptor, request: SweepRequest, ctx: CallContext) => Promise<SweepReport>;
  /** Removes images that it built for this runner at such an endpoint and that were not used lately. */
  readonly prune?: (
    endpoint: DockerEndpointDescriptor,
    request: PruneRequest,
    ctx: CallContext,
  ) => Promise<PruneReport>;
}

// docker-endpoint.d.ts

/** Where a Docker-compatible engine answers, for the runner's Docker driver to dial. */
export interface DockerEndpointDescriptor {
  /** The runner dials it as it is; what is reached by SSH must be forwarded to one of these first. */
  readonly address: `unix://${string}` | `tcp://${string}` | `npipe://${string}`;
  readonly tls?: {
    readonly ca: Uint8Array;
    readonly cert: Uint8Array;
    readonly key: Uint8Array;
    readonly serverName?: string;
  };
  /** May the source of a bind mount name a path of the target? */
  readonly binds: 'target-paths' | 'none';
  /** Host under which published ports appear, seen from the target. */
  readonly publishedHost: string;
  /** For jobs that get the socket mounted, where the administrator allows it. */
  readonly socketInTarget?: string;
}

// environment.d.ts

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
  readonly buildImage?: (
    request: BuildRequest,
    ctx: CallContext,
  ) => Promise<{
    readonly image: string;
  }>;
  readonly dockerEndpoint?: (ctx: CallContext) => Promise<DockerEndpointDescriptor>;
  readonly state: (ctx: CallContext) => Promise<Liveness>;
  /**
   * Removes the environment and everything in it. Idempotent, safe after a partial failure and while an exec unwinds.
   * `ctx` is the runner's own clean-up context, never the job's. What cannot be removed is reported, not thrown.
   */
  readonly remove: (ctx: CallContext) => Promise<RemoveReport>;
}

// errors.d.ts

/**
 * What went wrong, so that the runner can decide. Whose fault it is and what the runner does:
 *
 * | code | blames | the runner |
 * |---|---|---|
 * | `unsupported` | workflow or label | fails the job before anything starts |
 * | `config`, `label` | administrator | does not start |
 * | `plan` | workflow | fails the job |
 * | `image` | workflow or registry | fails the job, after retries where `retryable` |
 * | `auth` | credentials | fails the job |
 * | `capacity` | nobody | waits until the deadline |
 * | `unavailable` | infrastructure | tries again up to 3 times, with a new name |
 * | `timeout` | infrastructure | fails the job |
 * | `lost` | infrastructure | fails the job: outcome unknown |
 * | `not_found` | caller | treats a file as empty, a removal as done |
 * | `cancelled` | user | reports the job as cancelled |
 * | `internal` | author of the backend | fails the job and names the backend |
 */
export type BackendErrorCode = Str<
  | 'unsupported'
  | 'config'
  | 'label'
  | 'plan'
  | 'capacity'
  | 'image'
  | 'not_found'
  | 'unavailable'
  | 'timeout'
  | 'lost'
  | 'auth'
  | 'internal'
  | 'cancelled'
>;
/** What is known about a failure beside its message. */
export interface BackendErrorInit {
  readonly retryable?: boolean;
  readonly retryAfterMs?: number;
  readonly cause?: unknown;
  /** Name of the container, machine, file or image. */
  readonly resource?: string;
  /** One next step that works. */
  readonly hint?: string;
  readonly issues?: readonly SchemaIssue[];
  readonly unmet?: readonly string[];
}
/** A failure of infrastructure or configuration. Never the result of a command, never a cancellation in disguise. */
export declare class BackendError extends Error {
  readonly name: string;
  readonly code: BackendErrorCode;
  readonly details: BackendErrorInit;
  constructor(code: BackendErrorCode, message: string, details?: BackendErrorInit);
}
/** Is it a {@link BackendError}, of whichever copy of this package? */
export declare function isBackendError(error: unknown): error is BackendError;

// exec.d.ts

/** Name of a POSIX signal. Backends for other systems map it to what comes closest. */
export type Signal = Str<'SIGINT' | 'SIGTERM' | 'SIGKILL' | 'SIGQUIT' | 'SIGHUP'>;
/** Where the streams of a process go. Without `stdin` the process reads end of file at once. */
export interface ExecIo {
  readonly stdout: OutputSink;
  readonly stderr: OutputSink;
  readonly stdin?: AsyncIterable<Uint8Array>;
}
/** One stage of stopping a process tree: a signal, and how many milliseconds the tree gets to obey. */
export interface StopStage {
  readonly signal: Signal;
  readonly graceMs: number;
}
/** One process to start in a target. */
export interface ExecRequest extends ExecIo {
  /** Passed on byte for byte: no shell joins, splits or expands it. */
  readonly argv: readonly [string, ...string[]];
  /** The whole environment of the process: nothing is inherited. */
  readonly env: Env;
  /** Must exist; the runner makes it by `copyIn`. */
  readonly cwd: string;
  /** Needs the capability `exec.user`. */
  readonly user?: string;
  /** Needs the capability `exec.tty`. All output then arrives at `stdout`. */
  readonly tty?: {
    readonly columns: number;
    readonly rows: number;
  };
  /** How to stop the tree when `ctx.signal` aborts. Default: {@link defaultStop}. */
  readonly stop?: readonly StopStage[];
}
/** Stages of a stop where the request names none: INT, then TERM, then KILL, ten seconds in all. */
export declare const defaultStop: readonly StopStage[];
/** A started process. */
export interface ExecHandle {
  /**
   * Settles once, after all output was taken by the sinks. Rejects with a `BackendError`, never for what the command
   * itself did.
   */
  readonly result: Promise<ExecResult>;
  /** Exists if and only if the capability `exec.signals` is set. */
  readonly signal?: (signal: Signal) => Promise<void>;
  /** Exists if and only if the request had a `tty`. */
  readonly resize?: (size: { readonly columns: number; readonly rows: number }) => Promise<void>;
}
/**
 * How a process ended.
 *
 * - `exited`: by itself. A platform that only reports 128 + n for a signal says `exited` with that code.
 * - `signaled`: by a signal, where the platform says so.
 * - `stopped`: because `ctx.signal` aborted; `survivors` counts the processes that are alive all the same.
 */
export type ExecResult =
  | {
      readonly kind: 'exited';
      readonly code: number;
      readonly oomKilled?: boolean;
    }
  | {
      readonly kind: 'signaled';
      readonly signal: Signal;
      readonly coreDumped?: boolean;
      readonly oomKilled?: boolean;
    }
  | {
      readonly kind: 'stopped';
      readonly survivors: number;
    };

// factory.d.ts

/** What a factory gets to make a backend from. */
export interface FactoryInput {
  /** The section `backend.<id>` of the configuration, as `configSchema` left it. */
  readonly config: unknown;
  readonly owner: Owner;
  /** A folder of the backend's own that survives restarts. Exists, mode 0700. */
  readonly stateDir: string;
  /** Version of the contract that the runner speaks, such as `1.4.2`. */
  readonly apiVersion: string;
  /** Hides a value in every log from now on. */
  readonly addMask: (secret: string) => void;
}
/** How a backend is to be served to runners in other processes and on other machines. */
export interface ServeRequest {
  /** `unix:///path` or `host:port`. */
  readonly address: string;
  /** The section `backend.<id>` as an administrator writes it. */
  readonly config?: unknown;
  /** Files of certificates for `host:port`: those of the server, and whose runners it lets in. */
  readonly tls?: {
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
    /** SHA-256 fingerprints of the only certificates that are accepted. */
    readonly pinned?: readonly string[];
  };
  /** Listens at `host:port` without TLS. */
  readonly insecureTcp?: boolean;
  /** A private folder of the backend that survives restarts. */
  readonly stateDir: string;
  /** Whose the environments are of runners that do not say who they are. */
  readonly owner?: Owner;
  readonly log?: Logger;
  readonly addMask?: (secret: string) => void;
}
/** A backend that is served. Disposing it removes its environments and ends it. */
export interface BackendServer extends AsyncDisposable {
  /** Where it listens, with the port that it got. */
  readonly address: string;
}
/**
 * Makes one kind of backend from its section of the configuration. A backend package exports it as `factory` and
 * registers it when it is imported; {@link defineBackend} does the second.
 */
export interface BackendFactory {
  /** Major version of the contract that the package was written for. */
  readonly api: 1;
  readonly id: BackendId;
  /** One sentence for `list-backends`. */
  readonly description: string;
  /** Validates `backend.<id>` before `create`. Without network. */
  readonly configSchema: StandardSchemaV1;
  /** JSON Schemas for editors and documentation. */
  readonly jsonSchema?: () => {
    readonly config?: object;
    readonly label?: object;
  };
  /**
   * Makes the backend. Called once for each id that labels use, and for no other.
   *
   * @throws BackendError `config` when the configuration cannot work, `unavailable` when the platform does not answer.
   */
  readonly create: (input: FactoryInput, ctx: CallContext) => Promise<Backend>;
  /**
   * Serves another backend, for the command `serve-backend`. Only a factory whose protocol has such a side has it.
   *
   * @throws BackendError `config` for what cannot be served like that.
   */
  readonly serve?: (backend: BackendFactory, request: ServeRequest) => Promise<BackendServer>;
}

// files.d.ts

/**
 * Puts the entries of a POSIX tar stream (pax) below `dest`. Makes `dest` and missing parents, merges, overwrites
 * files, keeps modes and symlinks, and refuses an entry that would land outside `dest`. Not atomic.
 */
export interface CopyInRequest {
  readonly dest: string;
  readonly tar: AsyncIterable<Uint8Array>;
  /** `keep` needs the capability `files.ownership`; the default is the user that execs run as. */
  readonly owner?: 'keep' | 'target-user';
}
/**
 * Asks for a file or folder as a POSIX tar stream (pax) with one top entry, named like the last part of `src`.
 * A missing `src` rejects with `not_found`, more than `maxBytes` of content with `plan`.
 */
export interface CopyOutRequest {
  readonly src: string;
  readonly maxBytes?: number;
}

// index.d.ts

// export { apiMajor, apiVersion } from './api-version.ts';
// export { type BackendDefinition, defineBackend, type TypedBackend } from './define-backend.ts';
// export type { BackendFactory, BackendServer, FactoryInput, ServeRequest } from './factory.ts';
// export type { Backend, BackendHealth, BackendId, BackendRegistry } from './backend.ts';
// export type { CallContext, BackendEvent, Logger, OutputSink } from './call-context.ts';
// export type { Capabilities, ContainerField, ContainerSupport } from './capabilities.ts';
// export type { EnvironmentInfo, EnvironmentRequest, ExecutionEnvironment, Liveness, RunnerArch, RunnerOs, } from './environment.ts';
// export type { Target } from './target.ts';
// export { defaultStop, type ExecHandle, type ExecIo, type ExecRequest, type ExecResult, type Signal, type StopStage, } from './exec.ts';
// export type { CopyInRequest, CopyOutRequest } from './files.ts';
// export type { BuildRequest, Container, ServiceContainer, StepContainer } from './containers.ts';
// export type { DelegatedContainers, DelegationRequest, DockerDriver } from './docker-driver.ts';
// export type { DockerEndpointDescriptor } from './docker-endpoint.ts';
// export type { ContainerSpec, Healthcheck, JobContainerSpec, JobPlan, Mount, Port, RegistryCredentials, ServiceContainerSpec, StepContainerSpec, } from './plan.ts';
// export { formatLabel, type LabelConfiguration, type LabelPlace, parseLabel, type ResolvedLabel, } from './label.ts';
// export { type ContainerNeeds, type StepNeed, unmet, usedFields } from './unmet.ts';
// export type { Owner, PruneReport, PruneRequest, RecoverRequest, RemoveReport, SweepReport, SweepRequest, } from './ownership.ts';
// export { BackendError, type BackendErrorCode, type BackendErrorInit, isBackendError } from './errors.ts';
// export { attributeRegistrationsTo, type FactoryRegistry, factories, type Origin, type Registration, type DockerDriverRegistration, type DockerDriverRegistry, dockerDrivers, } from './registry.ts';
// export type { Env, Str } from './open-union.ts';
// export type { JsonSchemaOptions, SchemaIssue, SchemaResult, StandardSchemaV1 } from './standard-schema.ts';

// label.d.ts

/** Where in a configuration file something stands. Lines and columns count from 1. */
export interface LabelPlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}
/**
 * A label as configured, in either form:
 *
 * ```yaml
 * labels: ["mac:tart://sequoia?cpu=4"]
 * labels: { mac: { backend: tart, backend-options: { image: sequoia, cpu: 4 } } }
 * ```
 *
 * Both give the same name, backend and options; only in the string form every value is a string, or an array of
 * strings where a key is repeated.
 */
export interface LabelConfiguration {
  readonly name: string;
  readonly backend: BackendId;
  readonly options: Readonly<Record<string, unknown>>;
  readonly form: 'mapping' | 'string';
  /** Name of the server connection that the label belongs to, where it is not for all. */
  readonly connection?: string;
  readonly where?: LabelPlace;
}
/** What a backend made of a label. */
export interface ResolvedLabel {
  readonly capabilities: Capabilities;
  /** The label in one spelling, that parses back to itself: what two labels that mean the same have in common. */
  readonly canonical: string;
  /** The backend's own form of the options. The runner hands it back in `createEnvironment` and never looks inside. */
  readonly data: unknown;
}
/**
 * Reads the string form of a label, `name[:backend[:arg]][?key=value&...]`. Without a backend it is `docker`, as
 * Forgejo's own runner has it. The argument becomes the option `image`; a leading `//` is dropped and `%3F` stands for
 * a question mark.
 *
 * @throws BackendError `label` that quotes the label and says what was expected.
 */
export declare function parseLabel(text: string): LabelConfiguration;
/**
 * Writes a label in its one string form, with the options in the order of their names. What the string form says in
 * strings only, such as a number or a nested value, stands there as JSON.
 *
 * @throws BackendError `label` for a name or backend that the string form cannot say.
 */
export declare function formatLabel(label: Pick<LabelConfiguration, 'name' | 'backend' | 'options'>): string;

// open-union.d.ts

/** A union of known strings that may grow in a minor version: code that reads it always handles the unknown one. */
export type Str<Known extends string> = Known | (string & {});
/** Environment variables by name. */
export type Env = Readonly<Record<string, string>>;

// ownership.d.ts

/** Whose a resource is. A backend writes it on every resource, in the call that creates the resource. */
export interface Owner {
  /** Identity of the runner, the same over restarts. */
  readonly runner: string;
  /** Random for each start of the process. */
  readonly boot: string;
}
/** What a removal did. A resource that could not be removed is reported, and left to the next sweep. */
export interface RemoveReport {
  readonly removed: readonly string[];
  readonly leaked: readonly {
    readonly resource: string;
    readonly error: string;
  }[];
}
/** Asks a backend to remove what earlier processes of this runner left behind. */
export interface SweepRequest {
  /** Only resources of this runner may be touched, whatever their names look like. */
  readonly owner: Owner;
  /** Names of environments that are alive in this process. */
  readonly keep: readonly string[];
  /** `only-expired` where several processes share one identity: another process's environments stay until they expire. */
  readonly otherBoots: 'remove' | 'only-expired';
  /** Report what would be removed, and change nothing. */
  readonly dryRun: boolean;
}
/** What a sweep removed, could not remove, and kept. */
export interface SweepReport extends RemoveReport {
  readonly kept: readonly string[];
}
/** Asks a backend to remove what it keeps from one job to the next, such as images that it pulled or built. */
export interface PruneRequest {
  /** Only what this runner made or brought there may be touched. */
  readonly owner: Owner;
  /** What no job used for so many milliseconds goes. Default: what the backend is configured for. */
  readonly unusedMs?: number;
  /** The least recently used goes until so many bytes are left. Default: what the backend is configured for. */
  readonly maxBytes?: number;
  /** Report what would be removed, and change nothing. */
  readonly dryRun: boolean;
}
/** What pruning removed and could not remove, and how much is left. What a job uses is neither. */
export interface PruneReport extends RemoveReport {
  readonly freedBytes: number;
  readonly keptBytes: number;
}
/** Names environments of an earlier process that the runner would like to go on with. */
export interface RecoverRequest {
  readonly owner: Owner;
  readonly names: readonly string[];
}

// plan.d.ts

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

// platform-types.d.ts

/// <reference lib="es2024" preserve="true" />
/// <reference lib="esnext.disposable" preserve="true" />
declare global {
  interface AbortSignal {}
}

// registry.d.ts

/** Which package a factory came with. */
export interface Origin {
  readonly package: string;
  readonly version: string;
}
/** A factory and where it came from, as far as that is known. */
export interface Registration {
  readonly factory: BackendFactory;
  readonly package?: string;
  readonly version?: string;
}
/** The factories of a process. */
export interface FactoryRegistry {
  /**
   * Adds a factory. Adding the same object again does nothing.
   *
   * @throws BackendError `config` when another factory has this id; the message names both packages.
   */
  readonly register: (factory: BackendFactory, origin?: Origin) => void;
  readonly get: (id: BackendId) => Registration | undefined;
  /** In the order of registration. */
  readonly list: () => readonly Registration[];
}
/** A Docker driver and where it came from, as far as that is known. */
export interface DockerDriverRegistration {
  readonly driver: DockerDriver;
  readonly package?: string;
  readonly version?: string;
}
/** The Docker driver of a process: none, or one. */
export interface DockerDriverRegistry {
  /**
   * Sets the driver. Setting the same object again does nothing.
   *
   * @throws BackendError `config` when another one is there; the message names both packages.
   */
  readonly register: (driver: DockerDriver, origin?: Origin) => void;
  readonly get: () => DockerDriverRegistration | undefined;
}
/** The registry of this process, shared by all copies of this package of the same major version. */
export declare const factories: FactoryRegistry;
/** The Docker driver of this process, shared like {@link factories}. */
export declare const dockerDrivers: DockerDriverRegistry;
/**
 * Says which package is being imported, so that what registers until the next call is put down to it. Generated
 * entries call it around each import; `undefined` ends it.
 */
export declare function attributeRegistrationsTo(origin: Origin | undefined): void;

// standard-schema.d.ts

/**
 * A validator of any library that follows Standard Schema 1 (zod, valibot, arktype and others), described by its shape
 * so that this package depends on none of them.
 *
 * Source: the Standard Schema specification, version 1.
 */
export interface StandardSchemaV1<I = unknown, O = I> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<O> | Promise<SchemaResult<O>>;
    readonly types?:
      | {
          readonly input: I;
          readonly output: O;
        }
      | undefined;
    /** Writes itself as a JSON Schema, where the library can. Source: the Standard JSON Schema specification. */
    readonly jsonSchema?:
      | {
          readonly input: (options: JsonSchemaOptions) => object;
        }
      | undefined;
  };
}
/** In which form a validator is to write itself down. */
export interface JsonSchemaOptions {
  readonly target: 'draft-2020-12';
  /** For the library of the validator alone; others ignore it. */
  readonly libraryOptions?: Record<string, unknown> | undefined;
}
/** What a validator made of a value: the value in its final shape, or everything that is wrong with it. */
export type SchemaResult<O> =
  | {
      readonly value: O;
      readonly issues?: undefined;
    }
  | {
      readonly issues: readonly SchemaIssue[];
    };
/** One thing that is wrong with a value, and the path to it from the root of the value. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?:
    | readonly (
        | PropertyKey
        | {
            readonly key: PropertyKey;
          }
      )[]
    | undefined;
}
/** What the schema takes, as a JSON Schema; undefined where it has a part that JSON Schema cannot say. */
export declare function writeJsonSchema(schema: StandardSchemaV1): object | undefined;

// target.d.ts

/**
 * What can run processes and take files: the `runs-on` machine, or the job container that replaces it. Belongs to an
 * {@link ExecutionEnvironment} and ends with it.
 *
 * Source: GitHub's workflow syntax, `runs-on` and `jobs.<job_id>.container`.
 */
export interface Target {
  /**
   * Environment of the image or machine, taken once at creation, without `HOSTNAME`, `PWD`, `SHLVL` and `_`. The
   * runner lays the job's own variables over it.
   */
  readonly baseEnv: Env;
  /**
   * Starts one process; `result` of the handle settles when it is gone and its output was taken. A non-zero exit is a
   * result, not an error. One exec at a time; a `copyOut` may overlap it.
   *
   * When `ctx.signal` aborts, the whole process tree (also what left the process group) goes through `request.stop`,
   * the result is `{ kind: 'stopped' }`, and the target takes the next exec.
   *
   * `result` rejects with {@link BackendError} `plan` when program or folder do not exist where the platform can tell,
   * and with `lost` when no exit record came: the outcome is unknown.
   */
  readonly exec: (request: ExecRequest, ctx: CallContext) => ExecHandle;
  /** Unpacks a tar stream in the target. Takes the whole stream before it resolves. */
  readonly copyIn: (request: CopyInRequest, ctx: CallContext) => Promise<void>;
  /** Packs a path of the target as a tar stream. Breaking off the iteration stops the producer. */
  readonly copyOut: (request: CopyOutRequest, ctx: CallContext) => AsyncIterable<Uint8Array>;
  /**
   * A path on the runner's side with the same bytes, or `undefined` where there is none. Exists if and only if the
   * capability `files.shared` is set.
   */
  readonly sharedPath?: (path: string) => string | undefined;
}

// unmet.d.ts

/** A step that makes a container of its own, and whether its image has to be built. */
export interface StepNeed {
  /** The step in words, such as `step 4 (acme/scan@v2)`. */
  readonly where: string;
  readonly needs: 'run' | 'build';
}
/** What a job asks of the containers of its label. */
export interface ContainerNeeds {
  readonly plan: JobPlan;
  readonly steps: readonly StepNeed[];
  /** What the administrator gives every container, those of steps as well. */
  readonly stepFields: readonly ContainerField[];
}
/**
 * Lists everything that a job needs and containers of this kind cannot do, as clauses such as `services.db uses
 * volumes`. The runner starts a job only where the list is empty, and there is no way around it: a container outside of
 * what `runs-on` promises would break the confinement that the label stands for.
 *
 * An endpoint counts as nothing here. With a {@link DockerDriver} for it, ask about what that driver makes there.
 */
export declare function unmet(
  { plan, steps: stepNeeds, stepFields }: ContainerNeeds,
  containers: ContainerSupport,
): readonly string[];
/** The fields that a specification really uses, in the words of the contract. */
export declare function usedFields(
  spec: ContainerSpec & {
    readonly healthcheck?: Healthcheck;
  },
): readonly ContainerField[];
