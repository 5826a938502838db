import { nodeAt } from '../config/config-place.ts';
import type { RunnerConfig } from '../config/runner-config.ts';
import type { ContainerPolicy } from '../plan/admin-policy.ts';
import { readContainerOptions } from '../plan/container-options.ts';
import type { ContainerOptions } from '../plan/option-fields.ts';
import { normalSource } from '../plan/valid-volumes.ts';
import { quoted, UserError } from '../user-error.ts';

/** The limits of a configuration, and what of it changes nothing. */
export interface ReadPolicy {
  readonly policy: ContainerPolicy;
  readonly warnings: readonly string[];
}

/**
 * Reads what `container` says about the containers of all jobs.
 *
 * @throws UserError `FRR201` with everything that is wrong with `container.options`.
 */
export function readContainerPolicy({ container, source }: RunnerConfig): ReadPolicy {
  const { options, restricted, problems, notices } = readContainerOptions(container.options);
  const wrongMounts = options.mounts.filter((mount) => normalSource(mount.source) === undefined);
  const messages = [
    ...problems,
    ...wrongMounts.map((mount) => `expected an absolute path or the name of a volume, found ${quoted(mount.source)}`),
  ];
  if (messages.length > 0) {
    const at = nodeAt(source, ['container', 'options'])?.at;
    const say = (message: string) => ({
      message: `container.options: ${message}`,
      ...(at === undefined ? {} : { at }),
    });
    throw new UserError('FRR201', { problems: messages.map(say), next: 'docs/compatibility.md lists the options' });
  }
  const { privileged, validVolumes, forcePull } = container;
  return {
    policy: { defaults: defaultsOf(options, privileged), granted: restricted, privileged, validVolumes, forcePull },
    warnings: [...notices, ...idleOptions(options, privileged)].map((notice) => `container.options: ${notice}`),
  };
}

/** What makes sense for every container; the rest is for one of them. */
function defaultsOf(options: ContainerOptions, isPrivileged: boolean): ContainerOptions {
  const { privileged, ...fields } = options.fields;
  const { env, mounts, health } = options;
  return {
    env,
    mounts: mounts.map((mount) => ({ ...mount, source: normalSource(mount.source) ?? mount.source })),
    ports: [],
    aliases: [],
    health,
    fields: privileged === true && isPrivileged ? { ...fields, privileged } : fields,
  };
}

function idleOptions(options: ContainerOptions, isPrivileged: boolean): readonly string[] {
  const { ports, aliases, entrypoint, pull, fields } = options;
  const ofOne = [
    ...(ports.length > 0 ? ['--publish'] : []),
    ...(aliases.length > 0 ? ['--network-alias'] : []),
    ...(entrypoint === undefined ? [] : ['--entrypoint']),
  ].map((name) => `${name} changes nothing: it would hold for every container of every job`);
  return [
    ...ofOne,
    ...(pull === undefined ? [] : ['--pull changes nothing: set container.force_pull']),
    ...(fields.privileged === true && !isPrivileged
      ? ['--privileged changes nothing without container.privileged']
      : []),
  ];
}
