import { execFile } from 'node:child_process';
import type { Logger } from '@forgejo-runner/core';

/** Tells systemd where this process stands. Disposing ends the signs of life. */
export interface ServiceManager extends Disposable {
  readonly ready: (status: string) => void;
  readonly stopping: () => void;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Talks to the service manager that started us, where there is one. Node has no datagram sockets of Unix, so the command
 * `systemd-notify` does it: the unit has to say `NotifyAccess=all`.
 *
 * The signs of life come from the event loop that everything else here runs on.
 */
export function openServiceManager(env: Environment, log: Logger): ServiceManager {
  if (!env['NOTIFY_SOCKET']) return { ready: () => {}, stopping: () => {}, [Symbol.dispose]: () => {} };
  let wasTold = false;
  const notify = (...states: readonly string[]): void => {
    const { NOTIFY_SOCKET, PATH } = env;
    execFile('systemd-notify', states, { env: { NOTIFY_SOCKET, PATH }, timeout: 10_000 }, (error) => {
      if (error === null || wasTold) return;
      wasTold = true;
      log.warn('the service manager cannot be told how this service is', { reason: error.message });
    });
  };
  const everyMs = watchdogMs(env);
  const timer = everyMs === undefined ? undefined : setInterval(() => notify('WATCHDOG=1'), everyMs);
  timer?.unref();
  return {
    ready: (status) => notify('--ready', `--status=${status}`),
    stopping: () => notify('STOPPING=1', '--status=waiting for jobs'),
    [Symbol.dispose]: () => clearInterval(timer),
  };
}

/** Half of what the unit's `WatchdogSec` allows. Source: sd_watchdog_enabled(3). */
function watchdogMs(env: Environment): number | undefined {
  const limitMs = Number(env['WATCHDOG_USEC']) / 1000;
  const isOurs = !env['WATCHDOG_PID'] || env['WATCHDOG_PID'] === String(process.pid);
  return isOurs && limitMs >= 2 ? limitMs / 2 : undefined;
}
