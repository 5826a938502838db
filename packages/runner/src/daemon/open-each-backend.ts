import { join } from 'node:path';
import {
  apiVersion,
  type Backend,
  type BackendRegistry,
  type FactoryRegistry,
  type LabelConfiguration,
  type Logger,
  type Owner,
} from '@forgejo-runner/core';
import type { RunnerConfig } from '../config/runner-config.ts';
import { makePrivateFolder } from '../config/runner-identity.ts';
import { openCall } from '../environment/call-context.ts';
import type { Problem } from '../user-error.ts';
import { backendFailure, type BackendPlan, planBackends, validateSection } from './backend-plan.ts';
import { observedBackend } from './observed-backend.ts';

/** What backends are opened with. */
export interface EachBackendOptions {
  readonly config: RunnerConfig;
  readonly factories: FactoryRegistry;
  readonly owner: Owner;
  readonly stateDir: string;
  readonly log: Logger;
}

/** The backends that could be opened, and why others could not. */
export interface EachBackend extends Pick<BackendRegistry, 'all'>, AsyncDisposable {
  readonly failures: readonly { readonly backend: string; readonly problem: string; readonly isConfigured: boolean }[];
}

const createTimeoutMs = 60_000;

/**
 * Opens every backend that this runner has, whether or not a label uses it: of those that the configuration names, and
 * of each factory one with its defaults. One that cannot be opened is no reason not to open the others.
 */
export async function openEachBackend(options: EachBackendOptions, signal: AbortSignal): Promise<EachBackend> {
  const { config, factories } = options;
  const configured = new Set([
    ...config.labels.map(({ backend }) => backend),
    ...config.backends.keys(),
    ...config.plugins.keys(),
  ]);
  const ids = new Set([...configured, ...factories.list().map(({ factory }) => factory.id)]);
  const { plans } = planBackends({ config, factories, labels: [...ids].map(labelOf) });
  const open: Backend[] = [];
  const failures: EachBackend['failures'][number][] = [];
  for (const plan of plans) {
    try {
      const opened = await openOne(plan, options, signal);
      if ('backend' in opened) open.push(observedBackend(opened.backend, plan.id));
      else failures.push({ backend: plan.id, problem: textOf(opened.problems), isConfigured: configured.has(plan.id) });
    } catch (error) {
      failures.push({
        backend: plan.id,
        problem: textOf(backendFailure(plan, error)),
        isConfigured: configured.has(plan.id),
      });
    }
  }
  return {
    all: () => open,
    failures,
    [Symbol.asyncDispose]: async () => {
      for (const backend of open.toReversed()) await backend[Symbol.asyncDispose]();
    },
  };
}

/** A backend is planned for a label; its options are not looked at. */
function labelOf(id: string): LabelConfiguration {
  return { name: id, backend: id, options: {}, form: 'mapping' };
}

async function openOne(
  plan: BackendPlan,
  { owner, stateDir: parent, log }: EachBackendOptions,
  signal: AbortSignal,
): Promise<{ readonly backend: Backend } | { readonly problems: readonly Problem[] }> {
  const { value, problems } = await validateSection(plan);
  if (problems.length > 0) return { problems };
  const stateDir = join(parent, 'backends', plan.id);
  await makePrivateFolder(stateDir);
  using ctx = openCall({ signal, timeoutMs: createTimeoutMs, log });
  const input = { config: value, owner, stateDir, apiVersion, addMask: () => {} };
  return { backend: await plan.registration.factory.create(input, ctx) };
}

function textOf(problems: readonly Problem[]): string {
  return problems.map(({ message }) => message).join('; ');
}
