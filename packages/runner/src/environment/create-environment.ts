import { randomBytes } from 'node:crypto';
import {
  BackendError,
  type DockerDriver,
  type EnvironmentRequest,
  type ExecutionEnvironment,
  type Logger,
  type OutputSink,
  type Owner,
} from '@forgejo-runner/core';
import { toText } from '../expressions/values.ts';
import type { PlannedJob } from '../plan/planned-job.ts';
import { answerOf } from './answer-of.ts';
import { asBackendError, messageOf } from './backend-errors.ts';
import { openCall } from './call-context.ts';
import { removeAll } from './remove-all.ts';
import { startTimeLimit } from './time-limit.ts';

/** What the runner brings along when it has an environment made. */
export interface EnvironmentRuntime {
  readonly owner: Owner;
  readonly log: Logger;
  /** Where the reader of the job log sees what happens. */
  readonly progress: OutputSink;
  /** Makes containers at endpoints that environments hand out; absent where this runner has no such package. */
  readonly driver?: DockerDriver;
  /** Aborts when somebody cannot wait: removing then gets little time, and the next start the rest. */
  readonly hurry?: AbortSignal;
}

/** An environment and what it was asked for with. */
export interface CreatedEnvironment {
  readonly environment: ExecutionEnvironment;
  readonly request: EnvironmentRequest;
}

/** A backend gives up on its own long before. */
const createMs = 60 * 60_000;
/** What an environment may live on after its job: for the grace time and for removing it. */
const spareMs = 15 * 60_000;
const maxRetries = 3;

/**
 * Has the backend make an environment, and tries again where the code of its error allows that.
 *
 * @throws BackendError as the last try threw it; `cancelled` when `signal` aborts.
 */
export async function createEnvironment(
  planned: PlannedJob,
  runtime: EnvironmentRuntime,
  signal: AbortSignal,
): Promise<CreatedEnvironment> {
  const { backend, configuration } = planned.label;
  for (let attempt = 1; ; attempt += 1) {
    if (signal.aborted) throw cancelledBefore();
    using ctx = openCall({ ...runtime, signal, timeoutMs: createMs });
    const request = environmentRequest(planned, runtime.owner);
    try {
      const creating = backend.createEnvironment(request, ctx);
      const environment = await answerOf(creating, ctx.signal, (late) => void removeAll([late], runtime));
      return { environment, request };
    } catch (error) {
      const failure = asBackendError(error, configuration.backend);
      const waitMs = retryDelayMs(failure, attempt);
      if (waitMs === undefined || signal.aborted) throw failure;
      await runtime.progress(Buffer.from(`${messageOf(failure)}; trying again in ${Math.ceil(waitMs / 1000)} s\n`));
      await wait(waitMs, signal);
    }
  }
}

function environmentRequest({ task, label, containers, timeoutMs }: PlannedJob, owner: Owner): EnvironmentRequest {
  return {
    // Another name for each try: what is left of an earlier one must not be mistaken for this one.
    name: environmentName(task.id),
    task: {
      id: task.id,
      attempt: task.attempt,
      repository: toText(task.github.get('repository') ?? null),
      workflow: task.workflow.name ?? task.workflow.file,
      job: task.job.id,
    },
    owner,
    label: label.resolved,
    plan: containers,
    expiresAt: Date.now() + timeoutMs + spareMs,
  };
}

/** How long to wait before the next try, or `undefined` where there is none. Source: backend contract, table of errors. */
function retryDelayMs(error: BackendError, attempt: number): number | undefined {
  const backOffMs = error.details.retryAfterMs ?? Math.min(30_000, 500 * 2 ** (attempt - 1));
  // Nobody is to blame, and a place may get free as long as the job has time.
  if (error.code === 'capacity') return backOffMs;
  const isRetried =
    error.code === 'unavailable' ||
    error.code === 'timeout' ||
    (error.code === 'image' && error.details.retryable === true);
  return isRetried && attempt <= maxRetries ? backOffMs : undefined;
}

async function wait(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const over = Promise.withResolvers<void>();
  using _limit = startTimeLimit(ms, over.resolve);
  const onAbort = (): void => over.resolve();
  signal.addEventListener('abort', onAbort, { once: true });
  await over.promise;
  signal.removeEventListener('abort', onAbort);
}

function cancelledBefore(): BackendError {
  return new BackendError('cancelled', 'cancelled before there was an environment');
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
