import { spawn } from 'node:child_process';
import type { Env } from '@forgejo-runner/core';
import { toolEnv } from './lxc-commands.ts';

/**
 * Starts a process that ends a container when its time is over, whether or not the runner is still there. It carries the
 * marker of the environment, so whoever removes the environment ends it.
 */
export function startExpiry(
  stop: string,
  {
    parent,
    name,
    expiresAt,
    marker,
  }: { readonly parent: string; readonly name: string; readonly expiresAt: number; readonly marker: Env },
): void {
  const seconds = Math.max(1, Math.ceil((expiresAt - Date.now()) / 1000));
  const script = 'sleep "$1"; shift; exec "$@"';
  const child = spawn('/bin/sh', ['-c', script, 'expiry', String(seconds), stop, '-P', parent, '-n', name, '-k'], {
    cwd: '/',
    env: toolEnv(marker),
    detached: true,
    stdio: 'ignore',
  });
  // Where no process can be started, the timer of the runner has to do.
  child.on('error', () => {});
  child.unref();
}
