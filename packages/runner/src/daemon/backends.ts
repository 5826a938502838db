import { join } from 'node:path';
import {
  apiVersion,
  type Backend,
  type BackendFactory,
  type BackendRegistry,
  type FactoryRegistry,
  type LabelConfiguration,
  type Logger,
  type Owner,
  type ResolvedLabel,
} from '@forgejo-runner/core';
import type { RunnerConfig } from '../config/runner-config.ts';
import { makePrivateFolder } from '../config/runner-identity.ts';
import { openCall } from '../environment/call-context.ts';
import { type Problem, UserError } from '../user-error.ts';
import { backendFailure, type BackendPlan, planBackends, validateSection } from './backend-plan.ts';
import { labelFailure } from './label-failure.ts';
import { idleLegacyKeys } from './legacy-keys.ts';
import type { BackendOperation } from './backend-operation.ts';
import { observedBackend } from './observed-backend.ts';

/** What backends are opened with. */
export interface OpenBackendsOptions {
  /** The labels in use, with their places where they come from a file. */
  readonly labels: readonly LabelConfiguration[];
  readonly config: RunnerConfig;
  readonly factories: FactoryRegistry;
  readonly owner: Owner;
  /** Each backend gets a private folder below. */
  readonly stateDir: string;
  readonly log: Logger;
  readonly addMask: (secret: string) => void;
  readonly onOperation?: (operation: BackendOperation) => void;
}

/** A label, who makes its environments, and what that one said about it. */
export interface OpenedLabel {
  readonly configuration: LabelConfiguration;
  readonly backend: Backend;
  readonly resolved: ResolvedLabel;
}

/** The backends of a runner. Disposing closes them in reverse order, and never rejects. */
export interface OpenedBackends extends BackendRegistry {
  /** By name, without those that belong to one connection. */
  readonly labels: ReadonlyMap<string, OpenedLabel>;
  /** What a connection serves: its own labels where it has some, else those of all. */
  readonly labelsOf: (connection: string) => ReadonlyMap<string, OpenedLabel>;
}

const createTimeoutMs = 120_000;
const resolveTimeoutMs = 60_000;
const closeTimeoutMs = 30_000;

/**
 * Makes the backends that labels use, each from its section of the configuration, and lets each validate its labels.
 * Everything is tried, so that one error has all that is wrong; then nothing stays open.
 *
 * @throws {UserError} `FRR203` with the place of every problem. The reason of `signal` when that aborts.
 */
export async function openBackends(options: OpenBackendsOptions, signal: AbortSignal): Promise<OpenedBackends> {
  const opening = new Opening(options, signal);
  try {
    const { plans, problems } = planBackends(options);
    opening.problems.push(...problems);
    warnOfIdleKeys(plans, options);
    await Promise.all(plans.map((plan) => opening.create(plan)));
    await Promise.all(options.labels.map((label) => opening.resolve(label)));
    signal.throwIfAborted();
    if (opening.problems.length > 0) throw opening.error();
    return opening.opened();
  } catch (error) {
    await opening.close();
    throw error;
  }
}

/** What the file says to backends that no label uses. */
function warnOfIdleKeys(plans: readonly BackendPlan[], { config, log }: OpenBackendsOptions): void {
  const keys = idleLegacyKeys(new Set(plans.map(({ registration }) => registration.factory.id)), config);
  if (keys.length > 0)
    log.warn('keys of the configuration change nothing: no label has a backend that reads them', { keys });
}

/** What is open so far, and what went wrong. */
class Opening {
  readonly problems: Problem[] = [];
  readonly #causes: unknown[] = [];
  readonly #backends = new Map<string, Backend>();
  readonly #factories = new Map<string, BackendFactory>();
  readonly #labels: OpenedLabel[] = [];
  readonly #options: OpenBackendsOptions;
  readonly #signal: AbortSignal;

  constructor(options: OpenBackendsOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  async create(plan: BackendPlan): Promise<void> {
    const { log, owner, addMask, stateDir: parent } = this.#options;
    const { factory } = plan.registration;
    const stateDir = join(parent, 'backends', plan.id);
    this.#factories.set(plan.id, factory);
    using ctx = openCall({ signal: this.#signal, timeoutMs: createTimeoutMs, log });
    try {
      const section = await validateSection(plan);
      if (section.problems.length > 0) {
        this.problems.push(...section.problems);
        return;
      }
      await makePrivateFolder(stateDir);
      const input = { config: section.value, owner, stateDir, apiVersion, addMask };
      const creating = factory.create(input, ctx);
      const backend = await orLater(creating, ctx.signal, (late) => closeBackend(late, log));
      this.#backends.set(plan.id, observedBackend(backend, plan.id, this.#options.onOperation));
    } catch (error) {
      this.#fail(backendFailure(plan, error), error);
    }
  }

  async resolve(configuration: LabelConfiguration): Promise<void> {
    const backend = this.#backends.get(configuration.backend);
    // Why there is none is among the problems.
    if (backend === undefined) return;
    using ctx = openCall({ signal: this.#signal, timeoutMs: resolveTimeoutMs, log: this.#options.log });
    try {
      const resolved = await orLater(backend.resolveLabel(configuration, ctx), ctx.signal);
      this.#labels.push({ configuration, backend, resolved });
    } catch (error) {
      const factory = this.#factories.get(configuration.backend);
      this.#fail(labelFailure(configuration, error, { config: this.#options.config, factory }), error);
    }
  }

  #fail(problems: readonly Problem[], cause: unknown): void {
    this.problems.push(...problems);
    this.#causes.push(cause);
  }

  error(): UserError {
    return new UserError('FRR203', {
      problems: this.problems.toSorted(byPlace),
      next: 'forgejo-runner list-backends shows the backends of this runner; docs/reference/labels.md says how labels are written',
      cause: this.#causes.length > 1 ? new AggregateError(this.#causes) : this.#causes[0],
    });
  }

  opened(): OpenedBackends {
    const backends = this.#backends;
    const byConnection = Map.groupBy(this.#labels, ({ configuration }) => configuration.connection);
    const labels = byName(byConnection.get(undefined) ?? []);
    return {
      get: (id) => backends.get(id),
      all: () => [...backends.values()],
      labels,
      labelsOf: (connection) => {
        const own = byConnection.get(connection);
        return own === undefined ? labels : byName(own);
      },
      [Symbol.asyncDispose]: () => this.close(),
    };
  }

  async close(): Promise<void> {
    const open = [...this.#backends.values()].toReversed();
    this.#backends.clear();
    for (const backend of open) await closeBackend(backend, this.#options.log);
  }
}

/** Waits for a backend no longer than the signal; what comes after that is closed. */
async function orLater<T>(coming: Promise<T>, signal: AbortSignal, close?: (late: T) => Promise<void>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort);
  let isLate = true;
  try {
    signal.throwIfAborted();
    const value = await Promise.race([coming, promise]);
    isLate = false;
    return value;
  } finally {
    signal.removeEventListener('abort', onAbort);
    if (isLate) void coming.then(close, () => {});
  }
}

async function closeBackend(backend: Backend, log: Logger): Promise<void> {
  const late = Promise.withResolvers<never>();
  const onLate = (): void => late.reject(new Error(`not closed within ${closeTimeoutMs} ms`));
  const timer = setTimeout(onLate, closeTimeoutMs);
  try {
    await Promise.race([backend[Symbol.asyncDispose](), late.promise]);
  } catch (error) {
    log.warn('could not close a backend', { backend: backend.id, error });
  } finally {
    clearTimeout(timer);
  }
}

function byName(labels: readonly OpenedLabel[]): ReadonlyMap<string, OpenedLabel> {
  return new Map(labels.map((label) => [label.configuration.name, label]));
}

/** In the order of the file; what has no place comes first. */
function byPlace({ at: a }: Problem, { at: b }: Problem): number {
  return (a?.line ?? 0) - (b?.line ?? 0) || (a?.column ?? 0) - (b?.column ?? 0);
}
