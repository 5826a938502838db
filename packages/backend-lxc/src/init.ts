import { setTimeout as pause } from 'node:timers/promises';
import { BackendError, type CallContext } from '@forgejo-runner/core';
import type { RunningContainer } from './container.ts';
import { runInside } from './exec.ts';

/** Services that take longer than this go on beside the job. */
const longestMs = 10_000;

/**
 * Waits until the init of a container has started its services, so that the first step finds the bus and what listens.
 * A service that fails is no reason to refuse the job.
 */
export async function waitForInit(container: RunningContainer, ctx: CallContext): Promise<void> {
  const end = Date.now() + longestMs;
  while (Date.now() < end) {
    const { stdout } = await runInside(container, ['systemctl', 'is-system-running'], ctx);
    if (/^(?:running|degraded|maintenance)$/m.test(stdout)) return;
    await pause(50, undefined, { signal: ctx.signal }).catch(() => {
      throw new BackendError('cancelled', 'waiting for the init of a container was cancelled');
    });
  }
  ctx.log.debug('the init of a container still starts services', { container: container.name });
}
