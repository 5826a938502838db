import type { FactoryRegistry } from '@forgejo-runner/core';
import { quote } from 'shell-quote';
import type { RunnerConfig } from '../config/runner-config.ts';
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
  const hasDocker = factories.get('docker') !== undefined;
  const flags = dockerFlags
    .filter(([flag, isGiven]) => isGiven(options) && (!hasDocker || flag === '--container-daemon-socket'))
    .map(([flag]) => flag);
  if (flags.length === 0) return undefined;
  const verb = flags.length === 1 ? 'has' : 'have';
  const why = hasDocker
    ? 'it is deprecated; set container.docker_host in the configuration'
    : 'this runner has no Docker backend';
  return `warning: ${flags.join(', ')} ${verb} no effect: ${why}`;
}

/**
 * The configuration with what the flags of `exec` say about containers. Who runs workflows on a machine of their own may
 * mount what they can read there anyway, as with the Go runner.
 */
export function withDockerFlags(config: RunnerConfig, options: ExecOptions): RunnerConfig {
  const { container } = config;
  return {
    ...config,
    container: {
      ...container,
      ...(options.network === '' ? {} : { network: options.network }),
      enableIpv6: container.enableIpv6 || options.enableIpv6,
      privileged: container.privileged || options.privileged,
      forcePull: container.forcePull || options.pull,
      forceRebuild: container.forceRebuild || options.rebuild,
      validVolumes: ['**'],
      options: [container.options, options.containerOptions, quote(flagOptions(options))].join(' ').trim(),
    },
  };
}

/** What the flags would be for `docker run`. */
function flagOptions(options: ExecOptions): string[] {
  const { userns, containerArchitecture, containerCapAdd, containerCapDrop } = options;
  return [
    ...containerCapAdd.map((capability) => `--cap-add=${capability}`),
    ...containerCapDrop.map((capability) => `--cap-drop=${capability}`),
    ...(userns === '' ? [] : [`--userns=${userns}`]),
    ...(containerArchitecture === undefined ? [] : [`--platform=${containerArchitecture}`]),
  ];
}
