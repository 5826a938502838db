import { expect, it } from 'vitest';
import { usualSockets } from './usual-sockets.ts';

const addresses = (...args: Parameters<typeof usualSockets>): readonly string[] =>
  usualSockets(...args).map(({ address }) => address);

it('are those of Docker, Podman and the engines in virtual machines, in this order', () => {
  expect(addresses('linux', { HOME: '/home/ci', XDG_RUNTIME_DIR: '/run/user/7' })).toEqual([
    'unix:///var/run/docker.sock',
    'unix:///run/podman/podman.sock',
    'unix:///run/user/7/docker.sock',
    'unix:///run/user/7/podman/podman.sock',
    'unix:///home/ci/.docker/run/docker.sock',
    'unix:///home/ci/.docker/desktop/docker.sock',
    'unix:///home/ci/.colima/default/docker.sock',
    'unix:///home/ci/.config/colima/default/docker.sock',
    'unix:///home/ci/.orbstack/run/docker.sock',
    'unix:///home/ci/.rd/docker.sock',
    'unix:///home/ci/.local/share/containers/podman/machine/podman.sock',
  ]);
});

it('are pipes on Windows', () => {
  expect(addresses('win32', {})[0]).toBe('npipe:////./pipe/docker_engine');
});

it('follow the folders of the user', () => {
  expect(addresses('darwin', { HOME: '/Users/ci', COLIMA_HOME: '/opt/colima' })).toContain(
    'unix:///opt/colima/default/docker.sock',
  );
});

it('of engines in virtual machines are elsewhere for containers', () => {
  const desktop = usualSockets('linux', { HOME: '/h' }).find(({ engine }) => engine === 'Docker Desktop');
  expect(desktop?.inTarget).toBe('/var/run/docker.sock');
});
