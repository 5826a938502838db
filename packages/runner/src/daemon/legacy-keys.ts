import { nodeAt } from '../config/config-place.ts';
import type { RunnerConfig } from '../config/runner-config.ts';
import { readContainerOptions } from '../plan/container-options.ts';

/** A key of the Go runner that says something to the backends of one factory. */
export interface LegacyKey {
  /** Where it stands in the file. */
  readonly path: readonly string[];
  /** Id of the factory: every backend that it makes gets the key. */
  readonly factory: string;
  /** The key in `backend.<id>` that it stands for. It counts only where the section lacks that key. */
  readonly key: string;
  /** Undefined where the file leaves the default. */
  readonly value: (config: RunnerConfig) => unknown;
}

/** Keys outside of `backend` that go on working. `docs/reference/config.md` lists them. */
export const legacyKeys: readonly LegacyKey[] = [
  legacy('host.workdir_parent', 'host', 'workdir_parent', ({ host }) => host.workdirParent),
  legacy('container.docker_host', 'host', 'docker', ({ container }) => socketOf(container.dockerHost)),
  legacy('container.docker_host', 'docker', 'endpoint', ({ container }) => addressOf(container.dockerHost)),
  legacy('container.docker_host', 'docker', 'docker_socket', ({ container }) => givesSocket(container.dockerHost)),
  legacy('container.network', 'docker', 'network', ({ container }) => container.network),
  legacy('container.enable_ipv6', 'docker', 'enable_ipv6', ({ container }) => container.enableIpv6 || undefined),
  legacy('container.privileged', 'docker', 'privileged', ({ container }) => container.privileged || undefined),
  legacy('container.workdir_parent', 'docker', 'workdir_parent', ({ container }) =>
    container.workdirParent === 'workspace' ? undefined : container.workdirParent,
  ),
  legacy('container.force_pull', 'docker', 'force_pull', ({ container }) => container.forcePull || undefined),
  legacy('container.force_rebuild', 'docker', 'force_rebuild', ({ container }) => container.forceRebuild || undefined),
  legacy('container.options', 'docker', 'container_options', ({ container }) => labelOptions(container.options)),
];

/** The section of a backend with what older keys say about it. */
export function withLegacyKeys(factory: string, section: unknown, config: RunnerConfig): unknown {
  // Anything else is for the backend's schema to refuse.
  if (typeof section !== 'object' || section === null || Array.isArray(section)) return section;
  const added = legacyKeys
    .filter((one) => one.factory === factory && !Object.hasOwn(section, one.key))
    .map((one) => [one.key, one.value(config)] as const)
    .filter(([, value]) => value !== undefined);
  return { ...section, ...Object.fromEntries(added) };
}

/** Keys of the file, as `container.network`, that none of the factories in use reads. */
export function idleLegacyKeys(factories: ReadonlySet<string>, config: RunnerConfig): readonly string[] {
  const given = legacyKeys.filter(
    ({ path, value }) =>
      path[0] === 'container' && nodeAt(config.source, path) !== undefined && value(config) !== undefined,
  );
  const used = new Set(given.filter(({ factory }) => factories.has(factory)).map(({ path }) => path.join('.')));
  // The limits of the administrator hold for every backend: the runner applies them.
  for (const always of ['container.options', 'container.privileged', 'container.force_pull']) used.add(always);
  return [...new Set(given.map(({ path }) => path.join('.')))].filter((path) => !used.has(path));
}

function legacy(path: string, factory: string, key: string, value: LegacyKey['value']): LegacyKey {
  return { path: path.split('.'), factory, key, value };
}

/** `-` and `automount` leave it to the backend to find an engine. */
function addressOf(dockerHost: string): string | undefined {
  return dockerHost.includes('://') ? dockerHost : undefined;
}

/** As in the Go runner, jobs get the socket that is named, unless it is no socket. */
function givesSocket(dockerHost: string): true | undefined {
  return dockerHost === 'automount' || socketOf(dockerHost) !== undefined ? true : undefined;
}

/** A socket is on this machine, so that its engine sees the folders of jobs that run here. */
function socketOf(dockerHost: string): string | undefined {
  return /^(?:unix|npipe):\/\//.test(dockerHost) ? dockerHost : undefined;
}

/** The container of a label is no container of the workflow: its backend makes it, and needs to know. */
function labelOptions(text: string): unknown {
  const { env, mounts, fields } = readContainerOptions(text).options;
  const isEmpty = [env, mounts, fields].every((part) => Object.keys(part).length === 0);
  return isEmpty ? undefined : { env, mounts, options: fields };
}
