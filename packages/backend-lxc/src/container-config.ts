import type { LxcConfig } from './config.ts';
import type { LxcLabel } from './label.ts';
import { presetLines } from './presets.ts';

/** Everything that the configuration file of a container says. */
export interface ContainerDraft {
  readonly name: string;
  /** Folder of the job on this machine. */
  readonly folder: string;
  /** Root file system of the template, which stays as it is. */
  readonly rootfs: string;
  readonly config: Pick<LxcConfig, 'network' | 'bridge' | 'id_map' | 'memory' | 'cpus' | 'pids'>;
  readonly label: LxcLabel;
  /** `10.0.3.7/24` at the bridge. */
  readonly address: string | undefined;
  readonly hasInit: boolean;
  /** Finds the processes of the container again, as `NAME=value`. */
  readonly marker: string;
  readonly hasDevice: (path: string) => boolean;
  readonly cgroupVersion: 1 | 2;
}

/** Names of the folders of a job that hold what the container writes. */
export const layerFolders = { upper: 'upper', work: 'work', docker: 'docker' } as const;

/** The configuration file of a container, line by line. All values were checked where they came from. */
export function containerConfig(draft: ContainerDraft): string {
  const { name, folder, rootfs, label, marker } = draft;
  const lines = [
    `lxc.uts.name = ${name}`,
    `lxc.rootfs.path = overlay:${rootfs}:${folder}/${layerFolders.upper}`,
    `lxc.init.cmd = ${draft.hasInit ? '/sbin/init' : '/bin/sleep infinity'}`,
    ...(draft.hasInit ? ['lxc.signal.halt = SIGRTMIN+3'] : []),
    `lxc.environment = ${marker}`,
    'lxc.apparmor.profile = unconfined',
    'lxc.tty.max = 0',
    'lxc.pty.max = 1024',
    'lxc.autodev = 1',
    ...presetLines(label.presets, draft.hasDevice),
    ...networkLines(draft),
    ...limitLines(draft),
    ...(label.presets.includes('unprivileged') ? idMapLines(draft.config.id_map) : []),
    // An engine cannot keep layers of its own on layers.
    ...(label.docker
      ? [
          `lxc.mount.entry = ${folder.replaceAll(' ', String.raw`\040`)}/${layerFolders.docker} var/lib/docker none bind,create=dir 0 0`,
        ]
      : []),
  ];
  return `${lines.join('\n')}\n`;
}

function networkLines({ config, address }: ContainerDraft): readonly string[] {
  if (config.network === 'host') return ['lxc.net.0.type = none'];
  if (config.network === 'none' || address === undefined) return ['lxc.net.0.type = empty'];
  return [
    'lxc.net.0.type = veth',
    `lxc.net.0.link = ${config.bridge}`,
    'lxc.net.0.flags = up',
    'lxc.net.0.name = eth0',
    `lxc.net.0.ipv4.address = ${address}`,
    'lxc.net.0.ipv4.gateway = auto',
  ];
}

function idMapLines({ first, count }: LxcConfig['id_map']): readonly string[] {
  return [`lxc.idmap = u 0 ${first} ${count}`, `lxc.idmap = g 0 ${first} ${count}`];
}

function least(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined ? other : Math.min(one, other ?? one);
}

/** The administrator's limits hold whatever a label asks for. */
function limitLines({ config, label, cgroupVersion }: ContainerDraft): readonly string[] {
  const memory = least(label.memory, config.memory);
  const cpus = least(label.cpus, config.cpus);
  const pids = least(label.pids, config.pids);
  const lines: string[] = [];
  const bytes = memory === undefined ? undefined : Math.round(memory * 1024 * 1024);
  const quota = cpus === undefined ? undefined : Math.max(1000, Math.round(cpus * 100_000));
  if (cgroupVersion === 2) {
    if (bytes !== undefined) lines.push(`lxc.cgroup2.memory.max = ${bytes}`, 'lxc.cgroup2.memory.swap.max = 0');
    if (quota !== undefined) lines.push(`lxc.cgroup2.cpu.max = ${quota} 100000`);
    if (pids !== undefined) lines.push(`lxc.cgroup2.pids.max = ${pids}`);
  } else {
    if (bytes !== undefined) lines.push(`lxc.cgroup.memory.limit_in_bytes = ${bytes}`);
    if (quota !== undefined)
      lines.push('lxc.cgroup.cpu.cfs_period_us = 100000', `lxc.cgroup.cpu.cfs_quota_us = ${quota}`);
    if (pids !== undefined) lines.push(`lxc.cgroup.pids.max = ${pids}`);
  }
  return lines;
}
