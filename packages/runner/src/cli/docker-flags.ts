import type { FactoryRegistry } from '@forgejo-runner/core';
import type { ExecOptions } from './exec-options.ts';

/** Flags of `exec` that are about containers, and whether they were given. */
const dockerFlags: readonly (readonly [flag: string, isGiven: (options: ExecOptions) => boolean])[] = [
  ['--pull', ({ pull }) => pull],
  ['--rebuild', ({ rebuild }) => rebuild],
  ['--privileged', ({ privileged }) => privileged],
  ['--userns', ({ userns }) => userns !== ''],
  ['--container-architecture', ({ containerArchitecture }) => containerArchitecture !== undefined],
  ['--container-daemon-socket', ({ containerDaemonSocket }) => containerDaemonSocket !== '/var/run/docker.sock'],
  ['--container-cap-add', ({ containerCapAdd }) => containerCapAdd.length > 0],
  ['--container-cap-drop', ({ containerCapDrop }) => containerCapDrop.length > 0],
  ['--container-opts', ({ containerOptions }) => containerOptions !== ''],
  ['--network', ({ network }) => network !== ''],
  ['--enable-ipv6', ({ enableIpv6 }) => enableIpv6],
];

/** One line that names the flags that were given and change nothing, or `undefined` where there are none. */
export function ineffectiveFlags(options: ExecOptions, factories: FactoryRegistry): string | undefined {
  const flags = dockerFlags.filter(([, isGiven]) => isGiven(options)).map(([flag]) => flag);
  if (flags.length === 0) return undefined;
  const verb = flags.length === 1 ? 'has' : 'have';
  const why =
    factories.get('docker') === undefined
      ? 'this runner has no Docker backend'
      : 'exec hands nothing of it to the Docker backend; set it in the configuration';
  return `warning: ${flags.join(', ')} ${verb} no effect: ${why}`;
}
