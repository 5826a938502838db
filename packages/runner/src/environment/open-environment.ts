import type {
  CallContext,
  Container,
  DockerDriver,
  EnvironmentInfo,
  ExecutionEnvironment,
  OutputSink,
  ServiceContainer,
  Target,
} from '@forgejo-runner/core';
import type { PlannedJob } from '../plan/planned-job.ts';
import { answerOf } from './answer-of.ts';
import { asBackendError, guardTarget } from './backend-errors.ts';
import { openCall } from './call-context.ts';
import { checkEnvironment, checkTarget } from './check-contract.ts';
import { createEnvironment, type CreatedEnvironment, type EnvironmentRuntime } from './create-environment.ts';
import { type ContainerMaker, delegateContainers, type DelegatedMaker } from './delegated-docker.ts';
import { type Removable, removeAll } from './remove-all.ts';

/** The place of one job, ready for its steps. Disposing it removes everything and never rejects. */
export interface OpenEnvironment extends AsyncDisposable {
  readonly environment: ExecutionEnvironment;
  readonly info: EnvironmentInfo;
  /** Where steps run: the job container, or else the machine. Its calls reject with `BackendError` only. */
  readonly target: Target;
  readonly container: Container | undefined;
  /** Makes the containers of steps. Methods are absent where the label has none. */
  readonly containers: ContainerMaker;
  readonly services: ReadonlyMap<string, ServiceContainer>;
  /**
   * A context for calls into this environment. Dispose it after the call. Without `progress` the reader of the job log
   * sees nothing of what the backend says meanwhile.
   */
  readonly call: (signal: AbortSignal, timeoutMs: number, progress?: OutputSink) => CallContext & Disposable;
}

/** Images are pulled and services become healthy; the time limit of the job holds beside this one. */
const startMs = 60 * 60_000;

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
  const { label, containers } = planned;
  const created = await createEnvironment(planned, runtime, signal);
  const { environment } = created;
  const made: Removable[] = [environment];
  try {
    checkEnvironment(environment, label);
    const maker = containerMaker(created, planned, runtime.driver);
    // After the containers in it, before the machine that they use.
    if (maker !== environment) made.push(maker);
    const opening: Opening = { maker, made, runtime, signal };
    const services = new Map<string, ServiceContainer>();
    await inParallel(containers.services, opening, async (spec, ctx) => {
      const service = await maker.createServiceContainer?.(spec, ctx);
      if (service === undefined) return;
      made.push(service);
      services.set(spec.id, service);
    });
    const container = await startJobContainer(planned, opening);
    await inParallel([...services.values()], opening, (service, ctx) => service.waitReady(ctx));
    // A container that the driver made is none of the label's backend.
    const isForeign = container !== undefined && maker !== environment;
    const target = isForeign ? container : checkTarget(container ?? environment.target, label);
    return {
      environment,
      containers: maker,
      info: container?.info ?? environment.info,
      target: guardTarget(target, label.configuration.backend),
      container,
      // In the order of the workflow, not in that of getting ready.
      services: new Map(containers.services.flatMap(({ id }) => entryOf(services, id))),
      call: (callSignal, timeoutMs, progress) =>
        openCall({ signal: callSignal, timeoutMs, log: runtime.log, ...(progress === undefined ? {} : { progress }) }),
      [Symbol.asyncDispose]: () => removeAll(made, runtime),
    };
  } catch (error) {
    await removeAll(made, runtime);
    throw asBackendError(error, label.configuration.backend);
  }
}

/** An environment that is not complete yet. */
interface Opening {
  readonly maker: ContainerMaker;
  /** Everything that will have to be removed, in the order of its making. */
  readonly made: Removable[];
  readonly runtime: EnvironmentRuntime;
  readonly signal: AbortSignal;
}

function containerMaker(
  created: CreatedEnvironment,
  { label }: PlannedJob,
  driver: DockerDriver | undefined,
): ExecutionEnvironment | DelegatedMaker {
  const isDelegated = label.resolved.capabilities.containers.via === 'docker-endpoint';
  return isDelegated && driver !== undefined ? delegateContainers(driver, created) : created.environment;
}

async function startJobContainer(
  { containers }: PlannedJob,
  { maker, made, runtime, signal }: Opening,
): Promise<Container | undefined> {
  const spec = containers.jobContainer;
  if (spec === undefined || maker.createJobContainer === undefined) return undefined;
  using ctx = openCall({ ...runtime, signal, timeoutMs: startMs });
  const container = await answerOf(maker.createJobContainer(spec, ctx), ctx.signal);
  made.push(container);
  return container;
}

/** Does the same for all at once. When one fails the others are told to stop, and all have ended when this rejects. */
async function inParallel<T>(
  items: readonly T[],
  { runtime, signal }: Opening,
  work: (item: T, ctx: CallContext) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const failures: unknown[] = [];
  await Promise.all(
    items.map(async (item) => {
      using ctx = openCall({ ...runtime, signal: AbortSignal.any([signal, stop.signal]), timeoutMs: startMs });
      try {
        await answerOf(work(item, ctx), ctx.signal);
      } catch (error) {
        failures.push(error);
        stop.abort();
      }
    }),
  );
  if (failures.length > 0) throw failures[0];
}

function entryOf<K, V>(map: ReadonlyMap<K, V>, key: K): [K, V][] {
  const value = map.get(key);
  return value === undefined ? [] : [[key, value]];
}
