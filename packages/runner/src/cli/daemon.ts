import type { ConnectionFlags } from '../daemon/resolve-connections.ts';
import { reload } from '../daemon/reload.ts';
import { runDaemon } from '../daemon/run-daemon.ts';
import { openServiceManager } from '../daemon/service-manager.ts';
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
  using manager = openServiceManager(io.env, log);
  const capacity = new Capacity(config.runner.capacity);
  using _reloading = reloadAtHangUp(opened, capacity, context);
  await runDaemon({
    ...opened,
    io,
    capacity,
    onReady: () => {
      log.info('the runner takes jobs', { capacity: capacity.total });
      manager.ready(`takes jobs, ${capacity.total} at once`);
    },
    onStopping: manager.stopping,
  });
  log.info('the runner stopped');
  return exitCodes.success;
}

type Opened = Awaited<ReturnType<typeof openConnected>>;

/** One after the other, however fast the signals come. */
function reloadAtHangUp(opened: Opened, capacity: Capacity, { io }: CommandContext): Disposable {
  const { config, found, read, runner, setLevel, log } = opened;
  let current = Promise.resolve({ config, found });
  return io.onHangUp(() => {
    current = current.then((now) => reload({ current: now, read, runner, capacity, setLevel, log }));
  });
}
