import type { FactoryRegistry } from '@forgejo-runner/core';
import { expect, it } from 'vitest';
import { readConfig } from '../config/load.ts';
import { readContainerPolicy } from '../daemon/container-policy.ts';
import { ineffectiveFlags, withDockerFlags } from './docker-flags.ts';
import { execCommand, readExecOptions } from './exec-options.ts';

function optionsOf(...args: readonly string[]) {
  const command = execCommand().exitOverride();
  command.parse(args, { from: 'user' });
  return readExecOptions(command);
}

function registry(hasDocker: boolean): FactoryRegistry {
  // Only asked whether it is there.
  const get = (id: string) => (hasDocker && id === 'docker' ? ({} as ReturnType<FactoryRegistry['get']>) : undefined);
  return { register: () => {}, get, list: () => [] };
}

it('puts the flags into the configuration, over what is in it', () => {
  const config = readConfig(
    'container: { network: own, options: --memory 1k, force_pull: true, valid_volumes: [a] }',
    'c.yml',
  );
  expect(withDockerFlags(config, optionsOf()).container).toEqual({ ...config.container, validVolumes: ['**'] });
  const args = ['--network', 'x', '-6', '--privileged', '--rebuild', '--container-opts', '--cpus 2'];
  const { container } = withDockerFlags(config, optionsOf(...args));
  expect(container).toMatchObject({
    network: 'x',
    enableIpv6: true,
    privileged: true,
    forcePull: true,
    forceRebuild: true,
    options: '--memory 1k --cpus 2',
  });
});

it('makes options of the flags that are some, whatever their values have in them', () => {
  const config = readConfig('', 'c.yml');
  const flags = [
    '--container-cap-add',
    'NET_ADMIN',
    '--container-cap-add',
    'SYS_PTRACE',
    '--container-cap-drop',
    'CHOWN',
  ];
  const { container, ...rest } = withDockerFlags(
    config,
    optionsOf(...flags, '--userns', 'host', '--container-architecture', 'linux/arm64'),
  );
  const { policy } = readContainerPolicy({ ...rest, container });
  expect(policy.defaults.fields).toEqual({
    capAdd: ['NET_ADMIN', 'SYS_PTRACE'],
    capDrop: ['CHOWN'],
    usernsMode: 'host',
    platform: 'linux/arm64',
  });
  const hostile = withDockerFlags(config, optionsOf('--userns', `host --privileged '"`));
  expect(() => readContainerPolicy(hostile)).toThrow(`--userns: expected a namespace, found "host --privileged '\\""`);
});

it('names flags that change nothing', () => {
  const args = ['--network', 'x', '--container-daemon-socket', '/x'];
  expect(ineffectiveFlags(optionsOf(...args), registry(false))).toBe(
    'warning: --container-daemon-socket, --network have no effect: this runner has no Docker backend',
  );
  expect(ineffectiveFlags(optionsOf(...args), registry(true))).toBe(
    'warning: --container-daemon-socket has no effect: it is deprecated; set container.docker_host in the configuration',
  );
  expect(ineffectiveFlags(optionsOf('--network', 'x'), registry(true))).toBeUndefined();
});
