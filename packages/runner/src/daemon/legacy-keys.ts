import type { RunnerConfig } from '../config/runner-config.ts';

/** A key of the Go runner that says something to one backend. */
export interface LegacyKey {
  /** Where it stands in the file. */
  readonly path: readonly string[];
  readonly backend: string;
  /** The key in `backend.<id>` that it stands for. It counts only where the section lacks that key. */
  readonly key: string;
  readonly value: (config: RunnerConfig) => unknown;
}

/** Keys outside of `backend` that go on working. `docs/reference/config.md` lists them. */
export const legacyKeys: readonly LegacyKey[] = [
  {
    path: ['host', 'workdir_parent'],
    backend: 'host',
    key: 'workdir_parent',
    value: (config) => config.host.workdirParent,
  },
];

/** The section of a backend with what older keys say about it. */
export function withLegacyKeys(backend: string, section: unknown, config: RunnerConfig): unknown {
  // Anything else is for the backend's schema to refuse.
  if (typeof section !== 'object' || section === null || Array.isArray(section)) return section;
  const added = legacyKeys
    .filter((legacy) => legacy.backend === backend && !Object.hasOwn(section, legacy.key))
    .map((legacy) => [legacy.key, legacy.value(config)] as const)
    .filter(([, value]) => value !== undefined);
  return { ...section, ...Object.fromEntries(added) };
}
