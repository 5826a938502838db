import { expect, it } from 'vitest';
import { readConfig } from '../config/load.ts';
import { idleLegacyKeys, withLegacyKeys } from './legacy-keys.ts';

const config = (container: string) => readConfig(`container: { ${container} }`, 'c.yml');

it.each<[container: string, section: object]>([
  ['', {}],
  ['network: "", docker_host: "-", workdir_parent: workspace, force_pull: false', {}],
  ['docker_host: automount', { docker_socket: true }],
  ['docker_host: "unix:///x.sock"', { endpoint: 'unix:///x.sock', docker_socket: true }],
  ['docker_host: "tcp://h:2376"', { endpoint: 'tcp://h:2376' }],
  ['docker_host: "ssh://me@h"', { endpoint: 'ssh://me@h' }],
  ['network: host, enable_ipv6: true', { network: 'host', enable_ipv6: true }],
  ['network_mode: bridge', { network: 'bridge' }],
  ['privileged: true, workdir_parent: w', { privileged: true, workdir_parent: 'w' }],
  ['force_pull: true, force_rebuild: true', { force_pull: true, force_rebuild: true }],
  ['options: -e A=1 --memory 1k', { container_options: { env: { A: '1' }, mounts: [], options: { memory: 1024 } } }],
])('container: { %s } is for docker %j', (container, section) => {
  expect(withLegacyKeys('docker', {}, config(container))).toEqual(section);
});

it('lets the section win', () => {
  const section = { network: 'own', docker_socket: false };
  expect(withLegacyKeys('docker', section, config('network: host, docker_host: automount'))).toEqual(section);
});

it.each<[dockerHost: string, section: object]>([
  ['unix:///x.sock', { docker: 'unix:///x.sock' }],
  ['npipe:////./pipe/docker', { docker: 'npipe:////./pipe/docker' }],
  // Another machine, which does not see the folders of this one.
  ['tcp://h:2376', {}],
  ['automount', {}],
  ['-', {}],
])('container.docker_host %s is for host %j', (dockerHost, section) => {
  expect(withLegacyKeys('host', {}, config(`docker_host: "${dockerHost}"`))).toEqual(section);
});

it('leaves what is no mapping to the schema, and other backends alone', () => {
  expect(withLegacyKeys('docker', [], config('network: x'))).toEqual([]);
  expect(withLegacyKeys('k8s', {}, config('network: x'))).toEqual({});
});

it('names keys of the file that nobody reads', () => {
  const written = config('network: x, docker_host: "unix:///s", privileged: true, options: --init, enable_ipv6: false');
  expect(idleLegacyKeys(new Set(['host']), written)).toEqual(['container.network']);
  expect(idleLegacyKeys(new Set(['k8s']), written)).toEqual(['container.docker_host', 'container.network']);
  expect(idleLegacyKeys(new Set(['docker']), written)).toEqual([]);
});
