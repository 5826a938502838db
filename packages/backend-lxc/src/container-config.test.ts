import { expect, it } from 'vitest';
import { type ContainerDraft, containerConfig } from './container-config.ts';

const draft: ContainerDraft = {
  name: 'job-1',
  folder: '/s/jobs/job-1',
  rootfs: '/s/templates/k/g/rootfs',
  config: { network: 'bridge', bridge: 'lxcbr0', id_map: { first: 1_000_000, count: 65_536 } },
  label: { template: 'debian', presets: [], docker: false },
  address: '10.0.3.6/24',
  hasInit: false,
  marker: 'FJR_ENV=ab',
  hasDevice: (path) => path === '/dev/fuse' || path === '/dev/kvm',
  cgroupVersion: 2,
};

const lines = (rest: Partial<ContainerDraft> = {}): readonly string[] =>
  containerConfig({ ...draft, ...rest }).split('\n');

it('puts a layer of its own over the template', () => {
  expect(lines()).toContain('lxc.rootfs.path = overlay:/s/templates/k/g/rootfs:/s/jobs/job-1/upper');
  expect(lines()).toContain('lxc.init.cmd = /bin/sleep infinity');
  expect(lines({ hasInit: true })).toContain('lxc.init.cmd = /sbin/init');
});

it('takes rights away where no preset asks for nesting', () => {
  expect(lines()).toContain('lxc.cap.drop = sys_module');
  expect(lines()).toContain('lxc.mount.auto = proc:mixed sys:mixed cgroup:mixed');
  const nesting = lines({ label: { ...draft.label, presets: ['lxc', 'libvirt'] } });
  expect(nesting.filter((line) => line.startsWith('lxc.cap'))).toEqual([]);
  expect(nesting.filter((line) => line.startsWith('lxc.mount.entry'))).toEqual([
    'lxc.mount.entry = /dev/fuse dev/fuse none bind,create=file,optional 0 0',
    'lxc.mount.entry = /dev/kvm dev/kvm none bind,create=file,optional 0 0',
  ]);
});

it('maps users of unprivileged containers', () => {
  expect(lines({ label: { ...draft.label, presets: ['unprivileged'] } })).toEqual(
    expect.arrayContaining([
      'lxc.idmap = u 0 1000000 65536',
      'lxc.idmap = g 0 1000000 65536',
      'lxc.cap.drop = sys_time',
    ]),
  );
});

it.each([
  ['bridge', 'lxc.net.0.ipv4.address = 10.0.3.6/24'],
  ['host', 'lxc.net.0.type = none'],
  ['none', 'lxc.net.0.type = empty'],
] as const)('attaches to the network "%s"', (network, line) => {
  expect(lines({ config: { ...draft.config, network } })).toContain(line);
});

it('holds a label below the limits of the administrator', () => {
  const config = { ...draft.config, memory: 512, cpus: 2, pids: 100 };
  const label = { ...draft.label, memory: 1024, cpus: 0.5 };
  expect(lines({ config, label })).toEqual(
    expect.arrayContaining([
      'lxc.cgroup2.memory.max = 536870912',
      'lxc.cgroup2.cpu.max = 50000 100000',
      'lxc.cgroup2.pids.max = 100',
    ]),
  );
  expect(lines({ config, label, cgroupVersion: 1 })).toEqual(
    expect.arrayContaining([
      'lxc.cgroup.memory.limit_in_bytes = 536870912',
      'lxc.cgroup.cpu.cfs_quota_us = 50000',
      'lxc.cgroup.pids.max = 100',
    ]),
  );
  expect(lines().filter((line) => line.includes('cgroup2'))).toEqual([]);
});

it('keeps the layers of an engine on the disk of the machine', () => {
  expect(lines({ label: { ...draft.label, docker: true } })).toContain(
    'lxc.mount.entry = /s/jobs/job-1/docker var/lib/docker none bind,create=dir 0 0',
  );
});
