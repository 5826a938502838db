import type { CallContext } from './call-context.ts';
import type { ExecHandle, ExecRequest } from './exec.ts';
import type { CopyInRequest, CopyOutRequest } from './files.ts';
import type { Env } from './open-union.ts';

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
