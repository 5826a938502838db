/** What a container may do beyond a plain one; names as the Go runner has them. */
export const presetNames = ['unprivileged', 'lxc', 'libvirt', 'docker', 'k8s'] as const;
export type Preset = (typeof presetNames)[number];

/** Presets of labels that name none, as the Go runner has it. */
export const defaultPresets: readonly Preset[] = ['lxc', 'libvirt', 'docker'];

/** A device of this machine, by its path below `/dev`. */
const devices: Readonly<Record<Exclude<Preset, 'unprivileged'>, readonly string[]>> = {
  lxc: ['net/tun', 'fuse'],
  libvirt: ['kvm', 'vhost-net', 'net/tun'],
  docker: ['fuse', 'net/tun', 'loop-control', 'mapper/control'],
  k8s: ['kmsg', 'fuse', 'net/tun'],
};

/**
 * Lines of the configuration of a container. Devices that the machine lacks are left out, since the default presets name
 * more than most machines have.
 */
export function presetLines(presets: readonly Preset[], hasDevice: (path: string) => boolean): readonly string[] {
  const isNesting = presets.some((preset) => preset !== 'unprivileged');
  const wanted = new Set(presets.flatMap((preset) => (preset === 'unprivileged' ? [] : devices[preset])));
  const found = [...wanted].filter((path) => hasDevice(`/dev/${path}`)).toSorted();
  return [
    `lxc.mount.auto = ${isNesting ? 'proc:rw sys:rw cgroup:rw:force' : 'proc:mixed sys:mixed cgroup:mixed'}`,
    ...(isNesting ? [] : dropped.map((name) => `lxc.cap.drop = ${name}`)),
    ...found.map((path) => `lxc.mount.entry = /dev/${path} dev/${path} none bind,create=file,optional 0 0`),
  ];
}

/** What even root of a container does not need, and could harm the machine with. */
const dropped = ['mac_admin', 'mac_override', 'sys_module', 'sys_rawio', 'sys_time', 'syslog'];
