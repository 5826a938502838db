import { spawn } from 'node:child_process';
import type { Env } from '@forgejo-runner/core';
import type { LxcPrograms } from './container.ts';
import { layerFolders } from './container-config.ts';
import { toolEnv } from './lxc-commands.ts';

// The owner file goes last, so that a removal that breaks off is taken up by the next sweep.
const script = [
  'sleep "$1"; cd / && folder=$2; shift 2; "$@"',
  `rm -rf --one-file-system -- ${Object.values(layerFolders)
    .map((name) => `"$folder/${name}"`)
    .join(' ')} && rm -rf -- "$folder"`,
].join('\n');

/**
 * Starts a process that ends a container when its time is over and removes its folder, whether or not the runner is
 * still there. It carries the marker of the environment, so whoever removes the environment ends it.
 */
export function startExpiry(
  { root, stop }: Pick<LxcPrograms, 'root' | 'stop'>,
  {
    parent,
    name,
    expiresAt,
    marker,
  }: { readonly parent: string; readonly name: string; readonly expiresAt: number; readonly marker: Env },
): void {
  const seconds = Math.max(1, Math.ceil((expiresAt - Date.now()) / 1000));
  const ending = [stop, '-P', parent, '-n', name, '-k'];
  const [program, ...args] = root.argv([
    '/bin/sh',
    '-c',
    script,
    'expiry',
    String(seconds),
    `${parent}/${name}`,
    ...ending,
  ]);
  const child = spawn(program, args, {
    cwd: '/',
    env: toolEnv(marker),
    detached: true,
    stdio: 'ignore',
  });
  // Where no process can be started, the timer of the runner has to do.
  child.on('error', () => {});
  child.unref();
}
