import { randomBytes } from 'node:crypto';
import type {
  Backend,
  Capabilities,
  EnvironmentRequest,
  ExecutionEnvironment,
  JobPlan,
  LabelConfiguration,
  Owner,
  ResolvedLabel,
} from '@forgejo-runner/core';
import { apiVersion, parseLabel } from '@forgejo-runner/core';
import { callContext, type TestContext } from '../call-context.ts';
import { openTempFolder, type TempFolder } from '../temp-folder.ts';
import { describeError, expectThat, Nonconformance, show } from './expectations.ts';
import type { ConformanceOptions, Lane } from './options.ts';
import { type Workplace, workplaceAt } from './workplace.ts';

/** What may take a moment, such as an abort, has this long. */
export const promptMs = 15_000;

/** What a check may ask for beside the usual when it makes an environment. */
export interface CreateOver extends Partial<Omit<EnvironmentRequest, 'label' | 'task'>> {
  readonly backend?: Backend;
  readonly signal?: AbortSignal;
}

/** What `open` takes beside the options of the suite. */
export interface OpenOver {
  readonly owner?: Owner;
  readonly config?: unknown;
}

/** What one check works with. Everything that it opens is removed when it ended. */
export interface Stage {
  readonly options: ConformanceOptions;
  readonly lane: Lane;
  readonly capabilities: Capabilities;
  readonly labelConfiguration: LabelConfiguration;
  readonly label: ResolvedLabel;
  /** Whose everything is that the suite makes. */
  readonly owner: Owner;
  /** The backend that all checks share. */
  readonly backend: Backend;
  /** Opens another one of the same factory, as another runner or another start would. */
  readonly open: (over?: OpenOver) => Promise<Backend>;
  /** The request that `create` sends. */
  readonly request: (over?: CreateOver) => EnvironmentRequest;
  readonly createEnvironment: (over?: CreateOver) => Promise<ExecutionEnvironment>;
  /** An environment of the check's own, with a target. */
  readonly create: (over?: CreateOver) => Promise<Workplace>;
  /** The environment that checks share which leave it as it was. */
  readonly workplace: () => Promise<Workplace>;
  readonly at: (environment: ExecutionEnvironment, request: EnvironmentRequest) => Workplace;
  /** What is on the platform now: what the options list, else what a dry sweep would find. */
  readonly inventory: () => Promise<readonly string[]>;
  readonly context: (signal?: AbortSignal) => TestContext;
  /** All contexts of this check so far: what was logged and emitted. */
  readonly contexts: readonly TestContext[];
  readonly folder: () => Promise<TempFolder>;
  /** Picks by lane. */
  readonly amount: (quick: number, full: number, nightly?: number) => number;
  /** Notes a figure for the verdict. */
  readonly measure: (name: string, value: number) => void;
  readonly defer: (cleanUp: () => PromiseLike<unknown>) => void;
  /** Says why the check cannot run here. */
  readonly skip: (reason: string) => never;
}

/** A check that cannot run here, and why. */
export class Skipped extends Error {
  override readonly name: string = 'Skipped';
}

/** What all checks of a run share. */
export interface Shared {
  readonly options: ConformanceOptions;
  readonly lane: Lane;
  readonly owner: Owner;
  readonly backend: Backend;
  readonly labelConfiguration: LabelConfiguration;
  readonly label: ResolvedLabel;
  readonly stateDir: TempFolder;
  readonly workplace: () => Promise<Workplace>;
}

/** A name as the runner gives them. */
export function freshName(): string {
  return `conformance-${randomBytes(6).toString('hex')}`;
}

/** A random owner: nothing of a run of the suite may ever look like somebody else's. */
export function freshOwner(): Owner {
  return { runner: `conformance-${randomBytes(8).toString('hex')}`, boot: randomBytes(8).toString('hex') };
}

/** The configuration of a label from either form. */
export function labelOf(label: ConformanceOptions['label']): LabelConfiguration {
  return typeof label === 'string' ? parseLabel(label) : label;
}

/** Opens a backend as the runner does: its section is validated first. */
export async function openBackend(
  options: ConformanceOptions,
  over: OpenOver & { readonly owner: Owner; readonly stateDir: string },
  ctx: TestContext = callContext(),
): Promise<Backend> {
  const { factory } = options;
  const given = 'config' in over ? over.config : options.config;
  const read = await factory.configSchema['~standard'].validate(given ?? {});
  if (read.issues !== undefined) {
    throw new Nonconformance(`expected the configuration to be valid, found ${show(read.issues)}`);
  }
  const { owner, stateDir } = over;
  return factory.create({ config: read.value, owner, stateDir, apiVersion, addMask: () => {} }, ctx);
}

/** A request for an environment with everything at its default. */
export function requestOf(shared: Pick<Shared, 'label' | 'owner'>, over: CreateOver = {}): EnvironmentRequest {
  const { backend: _, signal: __, ...rest } = over;
  const plan: JobPlan = { services: [], stepContainers: 'none' };
  return {
    name: freshName(),
    task: { id: '1', attempt: 1, repository: 'conformance/suite', workflow: 'check', job: 'check' },
    owner: shared.owner,
    label: shared.label,
    plan,
    expiresAt: Date.now() + 3_600_000,
    ...rest,
  };
}

/** The workplace at the target of an environment. @throws Nonconformance where it has none. */
export function workplaceOf(
  { options }: Pick<Shared, 'options'>,
  environment: ExecutionEnvironment,
  request: EnvironmentRequest,
  context: Stage['context'] = callContext,
): Workplace {
  const { target } = environment;
  expectThat(target !== undefined, 'expected an environment with a target, found none');
  const shell = options.shell ?? '/bin/sh';
  return workplaceAt({ environment, target, request, shell, context });
}

/** The stage of one check. Disposing the stack removes what the check made. */
export function openStage(
  shared: Shared,
  stack: AsyncDisposableStack,
  { signal, measure }: { readonly signal: AbortSignal; readonly measure: Stage['measure'] },
): Stage {
  const { options, lane, owner, backend, label } = shared;
  const contexts: TestContext[] = [];
  const context: Stage['context'] = (own) => {
    const made = callContext(own === undefined ? signal : AbortSignal.any([own, signal]));
    contexts.push(made);
    return made;
  };
  const request: Stage['request'] = (over) => requestOf(shared, over);
  const make = async (asked: EnvironmentRequest, over: CreateOver): Promise<ExecutionEnvironment> => {
    const environment = await (over.backend ?? backend).createEnvironment(asked, context(over.signal));
    stack.defer(() => removed(environment));
    return environment;
  };
  const open: Stage['open'] = async (over = {}) => {
    const opened = await openBackend(options, { owner, stateDir: shared.stateDir.path, ...over }, context());
    return stack.use(opened);
  };
  return {
    options,
    lane,
    capabilities: label.capabilities,
    labelConfiguration: shared.labelConfiguration,
    label,
    owner,
    backend,
    open,
    request,
    createEnvironment: (over = {}) => make(request(over), over),
    create: async (over = {}) => {
      const asked = request(over);
      return workplaceOf(shared, await make(asked, over), asked, context);
    },
    workplace: async () => {
      const common = await shared.workplace();
      return workplaceOf(shared, common.environment, common.request, context);
    },
    at: (environment, asked) => workplaceOf(shared, environment, asked, context),
    inventory: () => inventoryOf(options, backend, owner, context),
    context,
    contexts,
    folder: async () => stack.use(await openTempFolder('forgejo-runner-conformance-')),
    amount: (quick, full, nightly = full) => ({ quick, full, nightly })[lane],
    measure,
    defer: (cleanUp) => stack.defer(async () => void (await cleanUp())),
    skip: (reason) => {
      throw new Skipped(reason);
    },
  };
}

/** Removes an environment whatever state it is in. What cannot be removed, the check has told already. */
async function removed(environment: ExecutionEnvironment): Promise<void> {
  await environment.remove(callContext()).catch(() => {});
}

async function inventoryOf(
  options: ConformanceOptions,
  backend: Backend,
  owner: Owner,
  context: Stage['context'],
): Promise<readonly string[]> {
  if (options.inventory !== undefined) return (await options.inventory()).toSorted();
  const another = { ...owner, boot: `${owner.boot}-later` };
  const swept = await backend.sweep({ owner: another, keep: [], otherBoots: 'remove', dryRun: true }, context());
  return [...swept.removed, ...swept.kept].toSorted();
}

/** Waits for something that must not take longer. @throws Nonconformance that says what. */
export async function within<T>(work: PromiseLike<T>, limitMs: number, what: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const fail = (): void => reject(new Nonconformance(`${what}: expected an end within ${limitMs / 1000} s`));
    timer = setTimeout(fail, limitMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The problem of a check in one line. */
export function problemOf(error: unknown): string {
  if (error instanceof Nonconformance) return error.message;
  return `an error that the check did not expect: ${describeError(error)}`;
}
