import type { ConnectionFlags } from '../daemon/resolve-connections.ts';
import { runDaemon } from '../daemon/run-daemon.ts';
import { Capacity } from '../poll/capacity.ts';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-codes.ts';
import { openConnected } from './open-connected.ts';

/** `daemon`: takes jobs until it is told to stop. */
export async function startDaemon(
  { config: path, ...flags }: ConnectionFlags & { readonly config?: string },
  context: CommandContext,
): Promise<number> {
  const { io } = context;
  await using opened = await openConnected(
    { ...(path === undefined ? {} : { config: path }), flags, kind: 'daemon' },
    context,
  );
  const { config, log } = opened;
  const capacity = new Capacity(config.runner.capacity);
  await runDaemon({
    ...opened,
    io,
    capacity,
    onReady: () => log.info('the runner takes jobs', { capacity: capacity.total }),
  });
  log.info('the runner stopped');
  return exitCodes.success;
}
