import { randomBytes } from 'node:crypto';
import {
  BackendError,
  type CallContext,
  type Container,
  type EnvironmentInfo,
  type ExecutionEnvironment,
  isBackendError,
  type Logger,
  type Owner,
  type OutputSink,
  type RemoveReport,
  type ServiceContainer,
  type Target,
} from '@forgejo-runner/core';
import { toText } from '../expressions/values.ts';
import type { PlannedJob } from '../plan/planned-job.ts';
import { openCall } from './call-context.ts';

/** What the runner brings along when it has an environment made. */
export interface EnvironmentRuntime {
  readonly owner: Owner;
  readonly log: Logger;
  /** Where the reader of the job log sees what happens. */
  readonly progress: OutputSink;
}

/** The place of one job, ready for its steps. Disposing it removes everything and never rejects. */
export interface OpenEnvironment extends AsyncDisposable {
  readonly environment: ExecutionEnvironment;
  readonly info: EnvironmentInfo;
  /** Where steps run: the job container, or else the machine. */
  readonly target: Target;
  readonly container: Container | undefined;
  readonly services: ReadonlyMap<string, ServiceContainer>;
  /** A context for calls into this environment. Dispose it after the call. */
  readonly call: (signal: AbortSignal, timeoutMs: number) => CallContext & Disposable;
}

/** Removing gets its own time, whatever became of the job. */
const cleanUpMs = 2 * 60_000;
/** A backend gives up on its own long before. */
const createMs = 60 * 60_000;
const unavailableAttempts = 3;

/**
 * Has the backend make the environment of a job, with its services and job container, and waits until all are ready.
 *
 * @throws BackendError as the backend threw it, after the retries that its code allows; nothing is left behind then.
 */
export async function openEnvironment(
  planned: PlannedJob,
  runtime: EnvironmentRuntime,
  signal: AbortSignal,
): Promise<OpenEnvironment> {
  const environment = await createWithRetries(planned, runtime, signal);
  try {
    using ctx = openCall({ signal, timeoutMs: createMs, log: runtime.log, progress: runtime.progress });
    checkContract(environment, planned);
    const services = await startServices(environment, planned, ctx);
    const container = await startJobContainer(environment, planned, ctx);
    await Promise.all([...services.values()].map((service) => service.waitReady(ctx)));
    const target = container ?? environment.target;
    if (target === undefined) throw violation(planned, 'an environment without job container has a target', 'C05');
    return {
      environment,
      info: environment.info,
      target,
      container,
      services,
      call: (signal, timeoutMs) => openCall({ signal, timeoutMs, log: runtime.log, progress: runtime.progress }),
      [Symbol.asyncDispose]: () => removeAll(environment, services, container, runtime),
    };
  } catch (error) {
    await removeAll(environment, new Map(), undefined, runtime);
    throw error;
  }
}

async function createWithRetries(
  planned: PlannedJob,
  runtime: EnvironmentRuntime,
  signal: AbortSignal,
): Promise<ExecutionEnvironment> {
  const { backend, resolved } = planned.label;
  const { task } = planned;
  for (let attempt = 1; ; attempt += 1) {
    using ctx = openCall({ signal, timeoutMs: createMs, log: runtime.log, progress: runtime.progress });
    try {
      return await backend.createEnvironment(
        {
          // Another name for each try: what is left of an earlier one must not be mistaken for this one.
          name: environmentName(task.id),
          task: {
            id: task.id,
            attempt: task.attempt,
            repository: toText(task.github.get('repository') ?? null),
            workflow: task.workflow.name ?? task.workflow.file,
            job: task.job.id,
          },
          owner: runtime.owner,
          label: resolved,
          plan: planned.containers,
          expiresAt: Date.now() + planned.timeoutMs + cleanUpMs,
        },
        ctx,
      );
    } catch (error) {
      const waitMs = retryDelayMs(error, attempt);
      if (waitMs === undefined || signal.aborted) throw asBackendError(error, planned);
      await runtime.progress(Buffer.from(`${messageOf(error)}; trying again in ${Math.ceil(waitMs / 1000)} s\n`));
      await wait(waitMs, signal);
    }
  }
}

/** How long to wait before the next try, or `undefined` where there is none. Source: backend contract, table of errors. */
function retryDelayMs(error: unknown, attempt: number): number | undefined {
  if (!isBackendError(error)) return undefined;
  const backOffMs = error.details.retryAfterMs ?? Math.min(30_000, 500 * 2 ** attempt);
  if (error.code === 'capacity') return backOffMs;
  const mayRetry =
    error.code === 'unavailable' ||
    error.code === 'timeout' ||
    (error.code === 'image' && error.details.retryable === true);
  return mayRetry && attempt < unavailableAttempts ? backOffMs : undefined;
}

async function wait(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done, { once: true });
  });
}

async function startServices(
  environment: ExecutionEnvironment,
  planned: PlannedJob,
  ctx: CallContext,
): Promise<ReadonlyMap<string, ServiceContainer>> {
  const create = environment.createServiceContainer;
  if (create === undefined) return new Map();
  const started = await Promise.all(
    planned.containers.services.map(
      async (spec): Promise<[string, ServiceContainer]> => [spec.id, await create(spec, ctx)],
    ),
  );
  return new Map(started);
}

async function startJobContainer(
  environment: ExecutionEnvironment,
  planned: PlannedJob,
  ctx: CallContext,
): Promise<Container | undefined> {
  const spec = planned.containers.jobContainer;
  if (spec === undefined) return undefined;
  return environment.createJobContainer?.(spec, ctx);
}

/** A method exists if and only if its capability says so: a backend that breaks this would fail in the middle of a job. */
function checkContract(environment: ExecutionEnvironment, planned: PlannedJob): void {
  const { containers } = planned.label.resolved.capabilities;
  const native = containers.via === 'native' ? containers : { job: false, services: false, steps: false, build: false };
  const rules: readonly [name: string, claimed: boolean, exists: boolean][] = [
    ['createJobContainer', native.job, environment.createJobContainer !== undefined],
    ['createServiceContainer', native.services, environment.createServiceContainer !== undefined],
    ['createStepContainer', native.steps, environment.createStepContainer !== undefined],
    ['buildImage', native.build, environment.buildImage !== undefined],
    ['dockerEndpoint', containers.via === 'docker-endpoint', environment.dockerEndpoint !== undefined],
  ];
  for (const [name, claimed, exists] of rules) {
    if (claimed === exists) continue;
    throw violation(
      planned,
      `${name} ${exists ? 'exists although the capabilities lack it' : 'is missing although the capabilities claim it'}`,
      'C05',
    );
  }
}

function violation(planned: PlannedJob, what: string, rule: string): BackendError {
  return new BackendError(
    'internal',
    `backend "${planned.label.configuration.backend}" breaks the contract (${rule}): ${what}`,
    {
      resource: planned.label.configuration.backend,
      hint: 'report this to the author of the backend',
    },
  );
}

async function removeAll(
  environment: ExecutionEnvironment,
  services: ReadonlyMap<string, ServiceContainer>,
  container: Container | undefined,
  runtime: EnvironmentRuntime,
): Promise<void> {
  const inner = [...(container === undefined ? [] : [container]), ...services.values()];
  for (const owned of [...inner, environment]) {
    using ctx = openCall({ signal: new AbortController().signal, timeoutMs: cleanUpMs, log: runtime.log });
    try {
      logLeaks(await owned.remove(ctx), runtime.log);
    } catch (error) {
      runtime.log.error('removing failed, left to the next sweep', { resource: owned.id, error: messageOf(error) });
    }
  }
}

function logLeaks(report: RemoveReport, log: Logger): void {
  for (const { resource, error } of report.leaked)
    log.warn('could not be removed, left to the next sweep', { resource, error });
}

/** Anything that is not branded is a defect of the backend. */
function asBackendError(error: unknown, planned: PlannedJob): BackendError {
  if (isBackendError(error)) return error;
  const { backend } = planned.label.configuration;
  return new BackendError('internal', `backend "${backend}" failed: ${messageOf(error)}`, {
    cause: error,
    hint: 'report this to the author of the backend',
  });
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** At most 40 characters of `a-z`, `0-9` and `-`, never the same twice. */
function environmentName(taskId: string): string {
  const id = taskId
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 20)
    .replaceAll(/^-+|-+$/g, '');
  return `job-${id === '' ? 'x' : id}-${randomBytes(6).toString('hex')}`;
}
