import { durationFromMs } from '@bufbuild/protobuf/wkt';
import {
  type Backend,
  BackendError,
  type BackendHealth,
  type CallContext,
  type Capabilities,
  type Env,
  type EnvironmentRequest,
  type ExecutionEnvironment,
  formatLabel,
  isBackendError,
  type LabelConfiguration,
  type RemoveReport,
  type ResolvedLabel,
  type SweepReport,
  type SweepRequest,
} from '@forgejo-runner/core';
import { cancelled } from '@forgejo-runner/kit';
import type { CreateResponse } from '../gen/plugin/v1alpha/plugin_pb.ts';
import { errorOfStatus } from '../platform-errors.ts';
import type { AlphaConnection } from './v1alpha-connection.ts';
import { AlphaEnvironment, alphaInfo } from './v1alpha-environment.ts';
import { runAlphaExec } from './v1alpha-exec.ts';
import { AlphaJournal } from './v1alpha-journal.ts';

/** What the protocol can carry. All else a job is refused for, where the Go runner leaves it out. */
export const alphaCapabilities: Capabilities = {
  containers: { via: 'native', job: true, services: true, steps: false, build: false, fields: ['env', 'ports'] },
  exec: { stdin: false, tty: false, user: true, signals: false, resume: false },
  files: { ownership: false, shared: false },
  isolation: 'none',
  recover: false,
  features: ['plugin.v1alpha'],
};

const healthMs = 4000;

/** A plugin that was written for the Go runner. */
export class AlphaBackend implements Backend {
  readonly id: string;
  readonly #connection: AlphaConnection;
  readonly #options: Readonly<Record<string, string>>;
  readonly #journal: AlphaJournal;
  readonly #workdirParent: string;
  readonly #names = new Set<string>();

  constructor(
    id: string,
    connection: AlphaConnection,
    place: {
      readonly options: Readonly<Record<string, unknown>>;
      readonly stateDir: string;
      /** Folder in environments below which jobs work; plugins make what is missing. */
      readonly workdirParent: string;
    },
  ) {
    const { options, stateDir, workdirParent } = place;
    this.#workdirParent = workdirParent;
    this.id = id;
    this.#connection = connection;
    this.#options = Object.fromEntries(Object.entries(options).map(([key, value]) => [key, optionText(key, value)]));
    this.#journal = new AlphaJournal(stateDir);
  }

  readonly resolveLabel = async (label: LabelConfiguration): Promise<ResolvedLabel> => {
    const { image = '', ...others } = label.options;
    const unknown = Object.keys(others);
    if (unknown.length > 0) {
      const found = unknown.map((key) => JSON.stringify(key.slice(0, 200))).join(', ');
      throw new BackendError(
        'label',
        `label "${label.name}": expected no options, found ${found}; the protocol of this plugin has one argument and no options`,
      );
    }
    if (typeof image !== 'string') throw new BackendError('label', `label "${label.name}": expected one argument`);
    return { capabilities: alphaCapabilities, canonical: formatLabel(label), data: image };
  };

  readonly createEnvironment = async (request: EnvironmentRequest, ctx: CallContext): Promise<ExecutionEnvironment> => {
    const { name, plan } = request;
    const what = `making environment "${name}" at ${this.#connection.name}`;
    if (ctx.signal.aborted) throw cancelled(what);
    if ((plan.jobContainer?.ports.length ?? 0) > 0) {
      throw new BackendError('unsupported', `${what}: the protocol of this plugin has no ports of the job container`);
    }
    if (this.#names.has(name))
      throw new BackendError('plan', `an environment "${name}" is there already`, { resource: name });
    await this.#connection.ready(ctx.signal);
    this.#names.add(name);
    let created: CreateResponse | undefined;
    try {
      created = await this.#create(request, ctx);
      const imageEnv = await this.#start(created, ctx);
      const environment = await this.#environment({ request, created, imageEnv }, ctx);
      if (ctx.signal.aborted) throw cancelled(what);
      ctx.emit({
        type: 'resource.created',
        at: Date.now(),
        environment: name,
        attributes: { resource: environment.id },
      });
      return environment;
    } catch (error) {
      await this.#undo(name, created, error);
      if (ctx.signal.aborted) throw cancelled(what);
      throw notLost(errorOfStatus(error, what));
    }
  };

  async #create(
    { name, owner, plan, label, expiresAt }: EnvironmentRequest,
    { signal, deadline }: CallContext,
  ): Promise<CreateResponse> {
    const created = await this.#connection.client.create(
      {
        image: plan.jobContainer?.image ?? '',
        name,
        services: plan.services.map(({ id, image, env, ports }) => ({
          name: id,
          image,
          env: { ...env },
          ports: ports.map(({ container, host, protocol }) => {
            const inside = protocol === 'tcp' ? String(container) : `${container}/${protocol}`;
            return host === undefined ? inside : `${host}:${inside}`;
          }),
        })),
        backendOptions: { ...this.#options },
        // What `resolveLabel` put there.
        labelArg: String(label.data),
        environmentTimeout: durationFromMs(Math.max(1000, expiresAt - Date.now())),
      },
      { signal, timeoutMs: Math.max(1, deadline - Date.now()) },
    );
    if (created.environmentId === '') throw this.#broken('made an environment without saying which');
    // Before it is started: from here on a runner that is killed leaves what the next one removes.
    await this.#journal.add({ name, id: created.environmentId, owner, expiresAt });
    return created;
  }

  async #start({ environmentId }: CreateResponse, ctx: CallContext): Promise<Env> {
    const { client, draftClient, draft } = this.#connection;
    if (draft !== undefined) return (await draftClient.start({ environmentId }, { signal: ctx.signal })).imageEnv;
    let imageEnv: Env | undefined;
    for await (const { Output: output } of client.start({ environmentId }, { signal: ctx.signal })) {
      if (imageEnv !== undefined) throw this.#broken('went on after an environment was started');
      if (output.case === 'data') await ctx.progress(output.value.data);
      else if (output.case === 'startComplete') imageEnv = output.value.imageEnv;
      else throw this.#broken('sent an empty message in the midst of a start');
    }
    if (imageEnv !== undefined) return imageEnv;
    throw new BackendError(
      'unavailable',
      `${this.#connection.name}: the stream ended before the environment was started`,
    );
  }

  async #environment(
    {
      request,
      created,
      imageEnv,
    }: { readonly request: EnvironmentRequest; readonly created: CreateResponse; readonly imageEnv: Env },
    ctx: CallContext,
  ): Promise<AlphaEnvironment> {
    const connection = this.#connection;
    const info = alphaInfo(connection, created, { task: request.task, workdirParent: this.#workdirParent });
    const { workspace, home, temp, toolCache, runner } = info.paths;
    if (info.pathStyle === 'posix') {
      const place = { connection, environment: created.environmentId, name: request.name, lost: () => undefined };
      const env = { [info.env.pathName]: imageEnv[info.env.pathName] ?? info.env.defaultPath };
      // As the Go runner does it, from the folder that is not there yet: plugins know that.
      const argv = ['mkdir', '-p', workspace, home, temp, toolCache, runner] as const;
      const { result } = runAlphaExec(
        place,
        { argv, env, cwd: workspace, stdout: ctx.progress, stderr: ctx.progress },
        ctx,
      );
      const ended = await result;
      if (ended.kind === 'stopped') throw cancelled('making the folders of a job');
      if (ended.kind !== 'exited' || ended.code !== 0) {
        throw new BackendError('unavailable', `${connection.name} could not make the folders of a job`);
      }
    }
    const remove = (): Promise<RemoveReport> => this.#remove(request.name, created.environmentId);
    return new AlphaEnvironment({ connection, request, created, info, imageEnv, remove });
  }

  async #undo(name: string, created: CreateResponse | undefined, error: unknown): Promise<void> {
    const { log, name: plugin } = this.#connection;
    if (created !== undefined) {
      const { leaked } = await this.#remove(name, created.environmentId);
      for (const one of leaked) log.warn('could not remove what was half made', { ...one });
      return;
    }
    this.#names.delete(name);
    const { code } = errorOfStatus(error, plugin);
    if (['cancelled', 'timeout', 'unavailable', 'lost'].includes(code)) {
      log.warn('a plugin may have made an environment that it never named: the protocol has no way to ask', {
        plugin,
        name,
      });
    }
  }

  async #remove(name: string, id: string): Promise<RemoveReport> {
    const { client, limits, name: plugin } = this.#connection;
    try {
      await client.remove({ environmentId: id }, { timeoutMs: limits.removeMs });
    } catch (error) {
      const found = errorOfStatus(error, `removing at ${plugin}`);
      if (found.code !== 'not_found') return { removed: [], leaked: [{ resource: id, error: found.message }] };
    }
    this.#names.delete(name);
    await this.#journal.remove(name);
    return { removed: [id], leaked: [] };
  }

  readonly sweep = async (
    { owner, keep, otherBoots, dryRun }: SweepRequest,
    ctx: CallContext,
  ): Promise<SweepReport> => {
    await this.#connection.ready(ctx.signal);
    const reports: RemoveReport[] = [];
    const kept: string[] = [];
    for (const entry of await this.#journal.list()) {
      if (entry.owner.runner !== owner.runner) continue;
      const isOthers = entry.owner.boot !== owner.boot && otherBoots === 'only-expired' && entry.expiresAt > Date.now();
      if (keep.includes(entry.name) || this.#names.has(entry.name) || isOthers) kept.push(entry.name);
      else if (dryRun) reports.push({ removed: [entry.id], leaked: [] });
      else reports.push(await this.#remove(entry.name, entry.id));
    }
    return {
      kept,
      removed: reports.flatMap(({ removed }) => removed),
      leaked: reports.flatMap(({ leaked }) => leaked),
    };
  };

  readonly health = async (ctx: CallContext): Promise<BackendHealth> => {
    try {
      await this.#connection.checkHealth({ signal: ctx.signal, timeoutMs: healthMs });
      return { status: 'ok' };
    } catch (error) {
      return { status: 'down', detail: isBackendError(error) ? error.message : String(error) };
    }
  };

  #broken(what: string): BackendError {
    return new BackendError('internal', `${this.#connection.name} ${what}: it breaks the protocol`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#connection[Symbol.asyncDispose]();
  }
}

function optionText(key: string, value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw new BackendError('config', `options.${key}: expected a text: the protocol of this plugin has nothing else`);
}

/** A boot that was cut off may be tried again: nothing of a job had begun. */
function notLost(error: BackendError): BackendError {
  if (error.code !== 'lost' && error.code !== 'not_found') return error;
  return new BackendError('unavailable', error.message, { ...error.details, cause: error });
}
