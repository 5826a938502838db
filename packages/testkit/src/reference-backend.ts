import type {
  Backend,
  BackendFactory,
  Capabilities,
  EnvironmentRequest,
  FactoryInput,
  LabelConfiguration,
  RemoveReport,
  SweepReport,
  SweepRequest,
} from '@forgejo-runner/core';
import { BackendError, formatLabel } from '@forgejo-runner/core';
import { cancelled } from '@forgejo-runner/kit';
import { z } from 'zod';
import { openReferenceEnvironment } from './reference-environment.ts';
import { faultError, type ReferenceFaults } from './reference-faults.ts';
import type { ReferenceEnvironment, ReferenceState } from './reference-state.ts';

/** One call that a reference backend got, in the order in which they came. */
export interface RecordedCall {
  /** Name of the method in the contract, such as `createEnvironment`, `exec`, `waitReady`. */
  readonly method: string;
  /** Name of the environment, where there is one. */
  readonly environment?: string;
  /** What came with it: the request or specification, as it was handed over. */
  readonly detail?: unknown;
}

/** What a reference backend is to be. */
export interface ReferenceOptions {
  readonly id?: string;
  /** What its labels claim, laid over {@link referenceCapabilities}. */
  readonly capabilities?: Partial<Capabilities>;
  readonly faults?: ReferenceFaults;
}

/** A backend for tests of what calls backends. */
export interface ReferenceBackend {
  /** Not registered: hand it to `factories.register` where the test needs that. */
  readonly factory: BackendFactory;
  readonly log: readonly RecordedCall[];
  /** The faults that are on. Change them at will. */
  readonly faults: ReferenceFaults;
  /** Names of the environments that are there now, whoever made them. */
  readonly environments: () => readonly string[];
  /** Ends an environment behind the back of whoever has it, as a crash of the platform would. */
  readonly endEnvironment: (name: string) => Promise<void>;
}

/** What a label of a reference backend claims unless the test says otherwise: a machine without containers. */
export const referenceCapabilities: Capabilities = {
  containers: { via: 'none' },
  exec: { stdin: true, tty: false, user: true, signals: true, resume: false },
  files: { ownership: false, shared: true },
  isolation: 'none',
  recover: false,
  features: [],
};

/**
 * Makes a backend that runs processes for real, each environment in a temporary folder, and claims whatever a test
 * wants it to: native containers are recorded, the job container is the folder again, and step containers run their
 * entrypoint on the machine. Environments outlive the backend that made them, as they do when a runner is killed, so
 * that another backend of the same factory has something to sweep.
 *
 * ```ts
 * const { factory, log, faults } = referenceBackend({ faults: { create: { code: 'capacity', times: 2 } } });
 * ```
 */
export function referenceBackend(options: ReferenceOptions = {}): ReferenceBackend {
  const log: RecordedCall[] = [];
  const state: ReferenceState = {
    id: options.id ?? 'reference',
    capabilities: { ...referenceCapabilities, ...options.capabilities },
    faults: options.faults ?? {},
    record: (method, environment, detail) =>
      void log.push({
        method,
        ...(environment === undefined ? {} : { environment }),
        ...(detail === undefined ? {} : { detail }),
      }),
    environments: new Map(),
    failedCreations: 0,
  };
  const factory: BackendFactory = {
    api: 1,
    id: state.id,
    description: 'Runs jobs in temporary folders, for tests',
    configSchema: z.strictObject({}).prefault({}),
    create: async (input) => {
      state.record('create', undefined, input.config);
      return backendOf(state, input);
    },
  };
  return {
    factory,
    log,
    faults: state.faults,
    environments: () => [...state.environments.keys()],
    endEnvironment: async (name) => void (await state.environments.get(name)?.environment.sweepAway()),
  };
}

function backendOf(state: ReferenceState, input: FactoryInput): Backend {
  const { faults, record } = state;
  const recover: Backend['recover'] = async (request) => {
    record('recover', undefined, request);
    const alive = [...state.environments.entries()].filter(
      ([name, { owner }]) => request.names.includes(name) && owner.runner === request.owner.runner,
    );
    return alive.map(([, { environment }]) => environment);
  };
  const hasRecover = state.capabilities.recover && !(faults.missing ?? []).includes('recover');
  return {
    id: state.id,
    resolveLabel: async (label) => resolveLabel(state, label),
    createEnvironment: (request, ctx) => createEnvironment(state, request, ctx.signal),
    sweep: (request) => sweep(state, request),
    health: async () => {
      record('health');
      return faults.health === undefined
        ? { status: 'ok' }
        : { status: faults.health, detail: 'as the test asked for' };
    },
    ...(hasRecover ? { recover } : {}),
    [Symbol.asyncDispose]: async () => record('dispose', undefined, input.owner),
  };
}

function resolveLabel(
  { faults, record, capabilities }: ReferenceState,
  label: LabelConfiguration,
): Awaited<ReturnType<Backend['resolveLabel']>> {
  record('resolveLabel', undefined, label);
  if (faults.describeLabel !== undefined) throw faultError(faults.describeLabel, `label "${label.name}"`);
  return { capabilities, canonical: formatLabel(label), data: label.options };
}

async function createEnvironment(
  state: ReferenceState,
  request: EnvironmentRequest,
  signal: AbortSignal,
): Promise<ReferenceEnvironment> {
  const { faults, environments } = state;
  state.record('createEnvironment', request.name, request);
  if (faults.create !== undefined && state.failedCreations < (faults.create.times ?? Number.POSITIVE_INFINITY)) {
    state.failedCreations += 1;
    throw faultError(faults.create.code, `environment "${request.name}"`, faults.create);
  }
  if (faults.createHangs === true) await aborted(signal);
  if (signal.aborted) throw cancelled(`creating "${request.name}"`);
  if (environments.has(request.name)) {
    throw new BackendError('plan', `an environment "${request.name}" is there already`, { resource: request.name });
  }
  const environment = await openReferenceEnvironment(state, request);
  environments.set(request.name, { owner: request.owner, environment });
  return environment;
}

async function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
}

async function sweep(state: ReferenceState, request: SweepRequest): Promise<SweepReport> {
  state.record('sweep', undefined, request);
  if (state.faults.sweepRejects !== undefined) throw faultError(state.faults.sweepRejects, 'sweep');
  const kept: string[] = [];
  const reports: RemoveReport[] = [];
  for (const [name, { owner, environment }] of state.environments) {
    if (owner.runner !== request.owner.runner) continue;
    const isOthers = owner.boot !== request.owner.boot && request.otherBoots === 'only-expired';
    if (request.keep.includes(name) || (isOthers && environment.expiresAt > Date.now())) kept.push(name);
    else reports.push(request.dryRun ? { removed: [name], leaked: [] } : await environment.sweepAway());
  }
  return {
    removed: reports.flatMap(({ removed }) => removed),
    leaked: reports.flatMap(({ leaked }) => leaked),
    kept,
  };
}
