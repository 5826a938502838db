import { readSecretUrl } from '../config/secret-source.ts';
import { startHealthServer } from '../daemon/health-server.ts';
import type { ConnectionFlags } from '../daemon/resolve-connections.ts';
import { reload, type ReloadOptions } from '../daemon/reload.ts';
import { runDaemon } from '../daemon/run-daemon.ts';
import { openServiceManager } from '../daemon/service-manager.ts';
import { Capacity } from '../poll/capacity.ts';
import { jobsFolder } from '../report/job-folders.ts';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-codes.ts';
import { openConnected } from './open-connected.ts';

/** `daemon`: takes jobs until it is told to stop. */
export async function startDaemon(
  flags: ConnectionFlags & { readonly config?: string },
  context: CommandContext,
): Promise<number> {
  const { signal } = context.io;
  try {
    await serve(flags, context);
  } catch (error) {
    // Told to stop before it took jobs: that is no failure either, and a service manager must not think so.
    const isTold = signal.aborted && error instanceof Error && (error === signal.reason || error.name === 'AbortError');
    if (!isTold) throw error;
  }
  return exitCodes.success;
}

async function serve(
  { config: path, ...flags }: ConnectionFlags & { readonly config?: string },
  context: CommandContext,
): Promise<void> {
  const { io } = context;
  // From the first moment: SIGHUP must not end what is about to read its configuration anyway.
  using hangUps = openHangUps(context);
  await using opened = await openConnected(
    { ...(path === undefined ? {} : { config: path }), flags, kind: 'daemon' },
    context,
  );
  const { config, log } = opened;
  using manager = openServiceManager(io.env, log);
  const capacity = new Capacity(config.runner.capacity);
  hangUps.serve({ ...opened, current: opened, capacity });
  await using _health = await openHealth(opened, capacity, context);
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
}

type Opened = Awaited<ReturnType<typeof openConnected>>;

/** Answers questions about the runner, where the configuration wants that. */
async function openHealth(
  { config, runner, metrics, instances, masks, log }: Opened,
  capacity: Capacity,
  { io }: CommandContext,
): Promise<AsyncDisposable | undefined> {
  const { listen, tokenUrl } = config.health;
  metrics.watch({ jobs: () => runner.jobs.list(), capacity: () => capacity.total });
  if (listen === undefined) return undefined;
  const subject = 'health.token_url';
  const { env, cwd } = io;
  const token = tokenUrl === undefined ? config.health.token : await readSecretUrl(tokenUrl, { env, cwd, subject });
  if (token !== undefined) masks.add(token);
  const server = await startHealthServer({
    listen,
    ...(token === undefined ? {} : { token }),
    registry: metrics.registry,
    stopping: io.signal,
    instances,
    jobs: () => runner.jobs.list(),
    backends: () => runner.backends.current.all(),
    capacity: () => ({ used: runner.jobs.list().length, total: capacity.total }),
    folder: jobsFolder(io.env),
    log,
  });
  log.info('status, probes and metrics are served', { url: server.url });
  return server;
}

/** Reads the configuration again at SIGHUP. */
interface HangUps extends Disposable {
  /** From now on; what came before is done as well. */
  readonly serve: (options: ReloadOptions) => void;
}

/** One after the other, however fast the signals come. */
function openHangUps({ io }: CommandContext): HangUps {
  const ready = Promise.withResolvers<ReloadOptions>();
  let current = ready.promise.then((options) => options.current);
  const listening = io.onHangUp(() => {
    current = current.then(async (now) => reload({ ...(await ready.promise), current: now }));
  });
  return { serve: ready.resolve, [Symbol.dispose]: () => listening[Symbol.dispose]() };
}
