import {
  BackendError,
  type CallContext,
  type Capabilities,
  type Container,
  type ExecutionEnvironment,
  type Logger,
  type Owner,
  type RemoveReport,
  type ServiceContainer,
  type StepContainer,
  type SweepReport,
  type SweepRequest,
  type Target,
} from '@forgejo-runner/core';
import { cancelled } from '@forgejo-runner/kit';
import type { ServedExec } from './served-exec.ts';

/** A container of an environment, by what it is for. */
export type ServedContainer =
  | { readonly kind: 'job'; readonly container: Container }
  | { readonly kind: 'service'; readonly container: ServiceContainer }
  | { readonly kind: 'step'; readonly container: StepContainer };

/** An environment that runners know by its name. */
export interface ServedEnvironment {
  readonly name: string;
  owner: Owner;
  readonly expiresAt: number;
  /** Of its label. */
  readonly capabilities: Capabilities;
  readonly containers: Map<string, ServedContainer>;
  readonly execs: Map<string, ServedExec>;
  /** Absent while it boots. */
  environment?: ExecutionEnvironment;
  /** Ends a boot. */
  readonly stop: AbortController;
  /** Settles when the boot is over, and never rejects. */
  booted: Promise<void>;
  /** A removal was tried and left something. */
  isLeaked: boolean;
  timer?: NodeJS.Timeout;
}

/** How long something may take that no call waits for. */
const ownCallMs = 60_000;
const longestTimerMs = 2 ** 31 - 1;

/** The environments of a server: they outlive the connections of the runners that asked for them. */
export class ServedEnvironments implements AsyncDisposable {
  readonly #all = new Map<string, ServedEnvironment>();
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** All of a runner. */
  ofRunner(runner: string): readonly ServedEnvironment[] {
    return [...this.#all.values()].filter(({ owner }) => owner.runner === runner);
  }

  names(): readonly string[] {
    return [...this.#all.keys()];
  }

  find(name: string): ServedEnvironment | undefined {
    return this.#all.get(name);
  }

  /** @throws BackendError `not_found` for one that is not there, or not yet. */
  get(name: string): ServedEnvironment & { readonly environment: ExecutionEnvironment } {
    const found = this.#all.get(name);
    if (found?.environment !== undefined) return Object.assign(found, { environment: found.environment });
    throw new BackendError('not_found', `there is no environment ${JSON.stringify(name.slice(0, 200))}`);
  }

  /** The machine or the job container. @throws BackendError `not_found`. */
  target(name: string, container: string): Target {
    const { environment, containers } = this.get(name);
    const found = container === '' ? environment.target : jobContainer(containers.get(container));
    if (found !== undefined) return found;
    const what = container === '' ? 'a machine' : `a container ${JSON.stringify(container.slice(0, 200))}`;
    throw new BackendError('not_found', `environment "${name}" has not ${what} that takes calls`);
  }

  /**
   * Boots an environment under a name that nobody else has meanwhile. What fails or is aborted is removed.
   *
   * @throws BackendError `plan` for a name that is taken, and what `boot` rejects with.
   */
  async add(
    request: Pick<ServedEnvironment, 'name' | 'owner' | 'expiresAt' | 'capabilities'> & {
      readonly signal: AbortSignal;
    },
    boot: (signal: AbortSignal) => Promise<ExecutionEnvironment>,
  ): Promise<ExecutionEnvironment> {
    const { name, owner, expiresAt, capabilities } = request;
    const stop = new AbortController();
    const signal = AbortSignal.any([request.signal, stop.signal]);
    const over = Promise.withResolvers<void>();
    const served: ServedEnvironment = {
      name,
      owner,
      expiresAt,
      capabilities,
      stop,
      containers: new Map(),
      execs: new Map(),
      booted: over.promise,
      isLeaked: false,
    };
    this.#all.set(name, served);
    try {
      const environment = await boot(signal);
      served.environment = environment;
      // The runner is gone, or has changed its mind: nobody would ever remove it.
      if (signal.aborted) {
        await this.#removeNow(served, this.ownCall());
        throw cancelled(`making environment "${name}"`);
      }
      this.#setTimer(served);
      return environment;
    } catch (error) {
      if (served.environment === undefined) this.#all.delete(name);
      throw error;
    } finally {
      over.resolve();
    }
  }

  /** Is a name taken? */
  has(name: string): boolean {
    return this.#all.has(name);
  }

  /** Removes an environment with everything in it, also one that boots. Rejects never: what stays is reported. */
  async remove(served: ServedEnvironment, ctx: CallContext): Promise<RemoveReport> {
    served.stop.abort();
    await served.booted;
    if (served.environment === undefined || this.#all.get(served.name) !== served) return { removed: [], leaked: [] };
    return this.#removeNow(served, ctx);
  }

  async #removeNow(served: ServedEnvironment, ctx: CallContext): Promise<RemoveReport> {
    for (const exec of served.execs.values()) exec.stop();
    const report = await served.environment?.remove(ctx).catch((error: unknown) => leaked(served.name, error));
    const { leaked: left = [] } = report ?? {};
    served.isLeaked = left.length > 0;
    if (!served.isLeaked) this.#forget(served);
    return report ?? { removed: [], leaked: [] };
  }

  /**
   * Removes those of earlier boots of a runner, and those whose time is over. Those of this boot stay: their runner says
   * itself when they go.
   */
  async sweep(request: SweepRequest, ctx: CallContext): Promise<SweepReport> {
    const kept: string[] = [];
    const reports: RemoveReport[] = [];
    for (const served of this.ofRunner(request.owner.runner)) {
      if (this.#mustStay(served, request)) kept.push(served.name);
      else if (request.dryRun) reports.push({ removed: [served.name], leaked: [] });
      else reports.push(named(served.name, await this.remove(served, ctx)));
    }
    return {
      kept,
      removed: reports.flatMap(({ removed }) => removed),
      leaked: reports.flatMap(({ leaked: left }) => left),
    };
  }

  #mustStay({ name, owner, expiresAt, isLeaked }: ServedEnvironment, request: SweepRequest): boolean {
    if (request.keep.includes(name)) return true;
    if (expiresAt <= Date.now() || isLeaked) return false;
    return owner.boot === request.owner.boot || request.otherBoots === 'only-expired';
  }

  /** The backend ends it by itself; this is for what we know of it. */
  #setTimer(served: ServedEnvironment): void {
    const leftMs = served.expiresAt - Date.now();
    const onTime = (): void => {
      if (served.expiresAt > Date.now()) this.#setTimer(served);
      else void this.remove(served, this.ownCall());
    };
    served.timer = setTimeout(onTime, Math.min(Math.max(leftMs, 0), longestTimerMs)).unref();
  }

  #forget(served: ServedEnvironment): void {
    clearTimeout(served.timer);
    if (this.#all.get(served.name) === served) this.#all.delete(served.name);
  }

  /** The context of a call that nobody waits for. */
  ownCall(): CallContext {
    return {
      signal: AbortSignal.timeout(ownCallMs),
      deadline: Date.now() + ownCallMs,
      log: this.#log,
      progress: () => {},
      emit: () => {},
    };
  }

  /** Removes all of them: nobody could reach them any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#all.values()].map((served) => this.remove(served, this.ownCall())));
  }
}

function jobContainer(served: ServedContainer | undefined): Container | undefined {
  return served?.kind === 'job' ? served.container : undefined;
}

function leaked(resource: string, error: unknown): RemoveReport {
  return { removed: [], leaked: [{ resource, error: error instanceof Error ? error.message : String(error) }] };
}

/** A backend that has nothing to say about it has removed it all the same. */
function named(name: string, report: RemoveReport): RemoveReport {
  return report.removed.length + report.leaked.length > 0 ? report : { ...report, removed: [name] };
}
