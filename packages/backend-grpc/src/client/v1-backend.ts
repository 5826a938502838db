import { durationFromMs, timestampFromMs } from '@bufbuild/protobuf/wkt';
import {
  type Backend,
  BackendError,
  type BackendHealth,
  type CallContext,
  type EnvironmentRequest,
  type ExecutionEnvironment,
  formatLabel,
  isBackendError,
  type LabelConfiguration,
  type PruneReport,
  type PruneRequest,
  type RecoverRequest,
  type ResolvedLabel,
  type SweepReport,
  type SweepRequest,
} from '@forgejo-runner/core';
import { cancelled } from '@forgejo-runner/kit';
import { reportFromWire } from '../environment-messages.ts';
import type { Capabilities, Ready } from '../gen/forgejo/runner/backend/v1/backend_pb.ts';
import { capabilitiesFromWire } from '../label-messages.ts';
import { jsonOf, planToWire } from '../plan-messages.ts';
import { errorOfStatus, plain } from '../platform-errors.ts';
import { ConnectError } from '@connectrpc/connect';
import type { Connection } from './connection.ts';
import { removeRemote, stateOf } from './remote-calls.ts';
import { RemoteEnvironment } from './v1-environment.ts';

/** Health has to be told in five seconds. */
const healthMs = 4000;
const sweepMs = 5 * 60_000;

/** A backend on the other side of a connection that was made ready once. */
export class V1Backend implements Backend {
  readonly id: string;
  readonly prune?: (request: PruneRequest, ctx: CallContext) => Promise<PruneReport>;
  readonly recover?: (request: RecoverRequest, ctx: CallContext) => Promise<readonly ExecutionEnvironment[]>;
  readonly #connection: Connection;
  readonly #living = new Map<string, RemoteEnvironment>();
  readonly #making = new Set<string>();
  #isDisposed = false;

  constructor(id: string, connection: Connection) {
    this.id = id;
    this.#connection = connection;
    connection.onReconnect = () => this.#reconcile();
    if (connection.has('prune')) this.prune = (request, ctx) => this.#prune(request, ctx);
    if (connection.has('recover')) this.recover = (request, ctx) => this.#recover(request, ctx);
  }

  readonly resolveLabel = async (label: LabelConfiguration, ctx: CallContext): Promise<ResolvedLabel> => {
    const canonical = formatLabel(label);
    const what = `label "${label.name}" at ${this.#connection.name}`;
    await this.#connection.ready(ctx);
    const request = {
      name: label.name,
      options: optionsOf(label),
      form: label.form,
      connection: label.connection ?? '',
    };
    const { client } = this.#connection;
    try {
      const answer = await this.#connection.call(what, ctx, (options) => client.resolveLabel(request, options));
      const data = Buffer.from(answer.data).toString('base64');
      return { capabilities: this.#capabilities(answer.capabilities), canonical, data };
    } catch (error) {
      // A server that uses the codes of gRPC alone can say it no better.
      if (isBackendError(error) && error.code === 'plan')
        throw new BackendError('label', error.message, { cause: error });
      throw error;
    }
  };

  /** A method exists if and only if its capability says so. */
  #capabilities(wire: Capabilities | undefined): ResolvedLabel['capabilities'] {
    const told = capabilitiesFromWire(wire);
    return { ...told, recover: this.recover !== undefined };
  }

  readonly createEnvironment = async (request: EnvironmentRequest, ctx: CallContext): Promise<ExecutionEnvironment> => {
    const { name } = request;
    if (ctx.signal.aborted) throw cancelled(`making environment "${name}"`);
    await this.#connection.ready(ctx);
    this.#making.add(name);
    try {
      const environment = await this.#create(request, ctx);
      this.#living.set(name, environment);
      ctx.emit({
        type: 'resource.created',
        at: Date.now(),
        environment: name,
        attributes: { resource: environment.id },
      });
      return environment;
    } finally {
      this.#making.delete(name);
    }
  };

  async #create(request: EnvironmentRequest, ctx: CallContext): Promise<RemoteEnvironment> {
    const connection = this.#connection;
    const { name } = request;
    const what = `making environment "${name}" at ${connection.name}`;
    const progress: { accepted?: string; ready?: Ready } = {};
    const stop = new AbortController();
    const mute = setTimeout(() => {
      const text = `${what}: it was not accepted within ${connection.limits.answerMs / 1000} s`;
      stop.abort(new BackendError('timeout', text));
    }, connection.limits.answerMs);
    try {
      const signal = AbortSignal.any([ctx.signal, stop.signal]);
      for await (const { event } of connection.client.createEnvironment(requestToWire(request), { signal })) {
        clearTimeout(mute);
        if (progress.ready !== undefined) throw this.#broken('went on after an environment was ready');
        if (event.case === 'accepted') progress.accepted = event.value.environment;
        else if (progress.accepted === undefined) throw this.#broken('made an environment that it had not accepted');
        else if (event.case === 'output') await ctx.progress(event.value.data);
        else if (event.case === 'ready') progress.ready = event.value;
      }
      if (ctx.signal.aborted) throw cancelled(what);
      const { accepted = '', ready } = progress;
      if (accepted === '') throw this.#broken('made an environment without saying which');
      if (ready === undefined) throw new BackendError('unavailable', `${what}: the stream ended before it was ready`);
      return this.#remote(request, accepted, ready);
    } catch (error) {
      await this.#undo(request, progress.accepted, error);
      if (ctx.signal.aborted) throw cancelled(what);
      if (stop.signal.aborted) throw stop.signal.reason;
      throw notLost(errorOfStatus(error, what));
    } finally {
      clearTimeout(mute);
      stop.abort();
    }
  }

  #remote(
    { name, owner, label }: Pick<EnvironmentRequest, 'name' | 'owner' | 'label'>,
    id: string,
    ready: Ready,
  ): RemoteEnvironment {
    const onRemoved = (): void => {
      this.#living.delete(name);
      if (this.#isDisposed && this.#living.size === 0) void this.#connection[Symbol.asyncDispose]();
    };
    const { capabilities } = label;
    return new RemoteEnvironment({ connection: this.#connection, id, name, owner, capabilities, ready, onRemoved });
  }

  /** Whatever the other side made of a request that failed, nobody is going to use it. */
  async #undo({ name, owner }: EnvironmentRequest, accepted: string | undefined, error: unknown): Promise<void> {
    // Refused by the server itself: what has this name is somebody else's.
    if (accepted === undefined && error instanceof ConnectError && error.isWireError) return;
    const report = await removeRemote(this.#connection, { environment: accepted || name, container: '' }, owner);
    for (const { resource, error: why } of report.leaked) {
      this.#connection.log.warn('could not remove what was half made', { resource, error: why });
    }
  }

  readonly sweep = async (request: SweepRequest, ctx: CallContext): Promise<SweepReport> => {
    await this.#connection.ready(ctx);
    return this.#sweep({ ...request, keep: [...request.keep, ...this.#names()] }, ctx);
  };

  async #sweep(
    { owner, keep, otherBoots, dryRun }: SweepRequest,
    ctx: Pick<CallContext, 'signal'>,
  ): Promise<SweepReport> {
    const { client, name } = this.#connection;
    const wire = { owner: { ...owner }, keep: [...keep], otherBootsOnlyExpired: otherBoots === 'only-expired', dryRun };
    const answer = await this.#connection.call(
      `sweeping at ${name}`,
      { signal: ctx.signal, timeoutMs: sweepMs },
      (options) => client.sweep(wire, options),
    );
    return { ...reportFromWire(answer), kept: answer.kept.map(plain) };
  }

  readonly health = async (ctx: CallContext): Promise<BackendHealth> => {
    const limit = { signal: ctx.signal, timeoutMs: healthMs };
    const { client, name } = this.#connection;
    const what = `asking ${name} for its health`;
    try {
      await this.#connection.checkHealth(what, limit);
      const answer = await this.#connection.call(what, limit, (options) => client.getHealth({}, options));
      return {
        status: answer.status === 'ok' || answer.status === 'degraded' ? answer.status : 'down',
        ...(answer.detail === '' ? {} : { detail: plain(answer.detail) }),
        ...(answer.freeSlots === undefined ? {} : { freeSlots: answer.freeSlots }),
      };
    } catch (error) {
      return { status: 'down', detail: error instanceof Error ? error.message : String(error) };
    }
  };

  async #prune({ owner, unusedMs, maxBytes, dryRun }: PruneRequest, ctx: CallContext): Promise<PruneReport> {
    const { client, name } = this.#connection;
    const wire = {
      owner: { ...owner },
      dryRun,
      ...(unusedMs === undefined ? {} : { unused: durationFromMs(unusedMs) }),
      ...(maxBytes === undefined ? {} : { maxBytes: BigInt(maxBytes) }),
    };
    const answer = await this.#connection.call(
      `pruning at ${name}`,
      { signal: ctx.signal, timeoutMs: sweepMs },
      (options) => client.prune(wire, options),
    );
    return { ...reportFromWire(answer), freedBytes: Number(answer.freedBytes), keptBytes: Number(answer.keptBytes) };
  }

  async #recover({ owner, names }: RecoverRequest, ctx: CallContext): Promise<readonly ExecutionEnvironment[]> {
    const { client, name: server } = this.#connection;
    await this.#connection.ready(ctx);
    const found: RemoteEnvironment[] = [];
    try {
      const answers = client.recover({ owner: { ...owner }, names: [...names] }, { signal: ctx.signal });
      for await (const { name, environment, ready, capabilities } of answers) {
        if (!names.includes(name) || environment === '' || ready === undefined) {
          throw this.#broken('handed over what nobody asked for');
        }
        const label = { capabilities: this.#capabilities(capabilities), canonical: '', data: '' };
        const remote = this.#remote({ name, owner, label }, environment, ready);
        this.#living.set(name, remote);
        found.push(remote);
      }
      return found;
    } catch (error) {
      throw errorOfStatus(error, `taking up environments at ${server}`);
    }
  }

  /**
   * After the connection was opened again: what the other side does not know any more is lost, and what a dead process of it
   * left is swept.
   */
  async #reconcile(): Promise<void> {
    const { log, owner, name: server } = this.#connection;
    const signal = AbortSignal.timeout(sweepMs);
    try {
      for (const [name, environment] of this.#living) {
        const { alive } = await stateOf(this.#connection, { environment: environment.id, container: '' }, { signal });
        if (alive) continue;
        environment.markLost(`${server} was started again and does not know environment "${name}" any more`);
        this.#living.delete(name);
      }
      const request = { owner, keep: this.#names(), otherBoots: 'only-expired', dryRun: false } as const;
      const { removed, leaked } = await this.#sweep(request, { signal });
      if (removed.length > 0) log.info('removed what a plugin left that ended', { plugin: server, removed });
      for (const { resource, error } of leaked) log.warn('could not remove what a plugin left', { resource, error });
    } catch (error) {
      log.warn('could not look for what a plugin left that ended', { plugin: server, error });
    }
  }

  #names(): readonly string[] {
    return [...this.#living.keys(), ...this.#making];
  }

  #broken(what: string): BackendError {
    return new BackendError('internal', `${this.#connection.name} ${what}: it breaks the protocol`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    await this.#connection[Symbol.asyncDispose]();
  }
}

function optionsOf({ name, options }: LabelConfiguration): ReturnType<typeof jsonOf> {
  try {
    return jsonOf(options);
  } catch (error) {
    throw new BackendError('label', `label "${name}": expected options that JSON can say`, { cause: error });
  }
}

function requestToWire({ name, task, owner, label, plan, expiresAt }: EnvironmentRequest) {
  return {
    name,
    task: { ...task },
    owner: { ...owner },
    // What `resolveLabel` put there.
    labelData: Buffer.from(String(label.data), 'base64'),
    labelCanonical: label.canonical,
    plan: planToWire(plan),
    expiresAt: timestampFromMs(expiresAt),
  };
}

/** A boot that was cut off may be tried again under another name: nothing of a job had begun. */
function notLost(error: BackendError): BackendError {
  if (error.code !== 'lost') return error;
  return new BackendError('unavailable', error.message, { ...error.details, cause: error });
}
