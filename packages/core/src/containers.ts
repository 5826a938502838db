import type { CallContext, OutputSink } from './call-context.ts';
import type { EnvironmentInfo, Liveness } from './environment.ts';
import type { ExecHandle, ExecIo } from './exec.ts';
import type { Env } from './open-union.ts';
import type { RemoveReport } from './ownership.ts';
import type { Target } from './target.ts';

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
