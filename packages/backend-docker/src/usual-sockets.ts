import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';

/** A place where an engine usually listens. */
export interface UsualSocket {
  readonly address: `unix://${string}` | `npipe://${string}`;
  /** Of whom. */
  readonly engine: string;
  /** Where the socket is on the machine of the engine, where that is another one than this. */
  readonly inTarget?: string;
}

/** Of an engine in a virtual machine, where the socket is at its usual place. */
function inMachine(path: string, engine: string): UsualSocket {
  return { address: `unix://${path}`, engine, inTarget: '/var/run/docker.sock' };
}

/** The places where engines listen that nobody configured, the most usual first. */
export function usualSockets(
  platform: NodeJS.Platform = process.platform,
  env: NodeJS.ProcessEnv = process.env,
): readonly UsualSocket[] {
  if (platform === 'win32') {
    return [
      { address: 'npipe:////./pipe/docker_engine', engine: 'Docker' },
      {
        address: 'npipe:////./pipe/dockerDesktopLinuxEngine',
        engine: 'Docker Desktop',
        inTarget: '/var/run/docker.sock',
      },
      { address: 'npipe:////./pipe/podman-machine-default', engine: 'Podman machine' },
    ];
  }
  const home = env['HOME'] || homedir();
  const runtime = env['XDG_RUNTIME_DIR'] || `/run/user/${userInfo().uid}`;
  const config = env['XDG_CONFIG_HOME'] || join(home, '.config');
  return [
    { address: 'unix:///var/run/docker.sock', engine: 'Docker' },
    { address: 'unix:///run/podman/podman.sock', engine: 'Podman' },
    { address: `unix://${join(runtime, 'docker.sock')}`, engine: 'rootless Docker' },
    { address: `unix://${join(runtime, 'podman/podman.sock')}`, engine: 'rootless Podman' },
    inMachine(join(home, '.docker/run/docker.sock'), 'Docker Desktop'),
    inMachine(join(home, '.docker/desktop/docker.sock'), 'Docker Desktop'),
    inMachine(join(env['COLIMA_HOME'] || join(home, '.colima'), 'default/docker.sock'), 'Colima'),
    inMachine(join(config, 'colima/default/docker.sock'), 'Colima'),
    inMachine(join(home, '.orbstack/run/docker.sock'), 'OrbStack'),
    inMachine(join(home, '.rd/docker.sock'), 'Rancher Desktop'),
    { address: `unix://${join(home, '.local/share/containers/podman/machine/podman.sock')}`, engine: 'Podman machine' },
  ];
}
