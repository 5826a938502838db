import { isDeepStrictEqual } from 'node:util';
import type { LabelConfiguration, Logger } from '@forgejo-runner/core';
import { plainValue } from '../config/plain-value.ts';
import type { RunnerConfig } from '../config/runner-config.ts';
import type { Capacity } from '../poll/capacity.ts';
import { problemText, UserError } from '../user-error.ts';
import type { OpenedRunner } from './open-runner.ts';
import type { ResolvedConnections } from './resolve-connections.ts';

/** What a configuration was read into. */
export interface ReadAgain {
  readonly config: RunnerConfig;
  readonly found: ResolvedConnections;
}

/** What reloading works with. */
export interface ReloadOptions {
  /** What counts now. */
  readonly current: ReadAgain;
  /** @throws {UserError} where the configuration is wrong. */
  readonly read: () => Promise<ReadAgain>;
  readonly runner: Pick<OpenedRunner, 'backends' | 'labelCapacity' | 'reopen'>;
  readonly capacity: Capacity;
  readonly setLevel: (level: RunnerConfig['log']['level']) => void;
  readonly log: Logger;
}

/** Keys that count at once. Everything else is read at the start only. */
const counts =
  /^(?:log\.level|runner\.(?:capacity|label_capacity|labels)|server\.connections\.[^.]*\.labels|backend|plugins)(?:\.|$)/;

/**
 * Reads the configuration again, and has count what can: labels with their backends, capacity, the level of the log. A
 * configuration that is wrong changes nothing. @returns what counts from now on. Never rejects.
 */
export async function reload(options: ReloadOptions): Promise<ReadAgain> {
  const { current, runner, capacity, log } = options;
  try {
    const next = await options.read();
    const { config } = next;
    const changed = changedKeys(current.config, config);
    const isOther = changed.some((key) => /^(?:backend|plugins)(?:\.|$)/.test(key));
    if (isOther || !sameLabels(current.found.labels, next.found.labels)) {
      // The limits for containers stay as they were, so their older keys do as well.
      const { source } = config;
      const read = { labels: next.found.labels, backends: config.backends, plugins: config.plugins };
      const merged = { ...current.config, ...read, ...(source === undefined ? {} : { source }) };
      await runner.backends.replace(await runner.reopen(merged, next.found.labels));
    }
    options.setLevel(config.log.level);
    capacity.resize(config.runner.capacity);
    runner.labelCapacity.resize(config.runner.labelCapacity);
    const later = changed.filter((key) => !counts.test(key));
    if (later.length > 0) log.warn('keys of the configuration that changed count after a restart', { keys: later });
    log.info('the configuration was read again', { changed: changed.filter((key) => counts.test(key)) });
    return next;
  } catch (error) {
    const problems = error instanceof UserError ? error.problems.map(problemText) : [String(error)];
    for (const problem of problems) log.error('the configuration is wrong, and nothing changed', { problem });
    return current;
  }
}

function sameLabels(before: readonly LabelConfiguration[], after: readonly LabelConfiguration[]): boolean {
  return isDeepStrictEqual(before.map(withoutPlace), after.map(withoutPlace));
}

function withoutPlace(label: LabelConfiguration): object {
  return { ...label, where: undefined };
}

/** Keys of the file that were added, removed or have another value. */
function changedKeys(before: RunnerConfig, after: RunnerConfig): readonly string[] {
  const [old, young] = [before, after].map(({ source }) => leaves(source === undefined ? {} : plainValue(source)));
  const keys = new Set([...(old?.keys() ?? []), ...(young?.keys() ?? [])]);
  return [...keys].filter((key) => !isDeepStrictEqual(old?.get(key), young?.get(key))).toSorted();
}

function leaves(value: unknown, path: readonly string[] = []): ReadonlyMap<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return new Map([[path.join('.'), value]]);
  return new Map(Object.entries(value).flatMap(([key, inner]) => [...leaves(inner, [...path, key])]));
}
