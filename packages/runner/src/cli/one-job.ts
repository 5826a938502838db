import type { ConnectionFlags } from '../daemon/resolve-connections.ts';
import { runOneJob } from '../daemon/run-one-job.ts';
import type { CommandContext } from './command-context.ts';
import { exitCodes } from './exit-codes.ts';
import { openConnected } from './open-connected.ts';

/** What `one-job` was asked for. */
export interface OneJobFlags extends ConnectionFlags {
  readonly config?: string;
  readonly wait?: boolean;
  readonly handle?: string;
}

/** `one-job`: runs one job, whatever comes of it. */
export async function startOneJob(
  { config: path, wait = false, handle, ...flags }: OneJobFlags,
  context: CommandContext,
): Promise<number> {
  await using opened = await openConnected(
    { ...(path === undefined ? {} : { config: path }), flags, kind: 'one-job' },
    context,
  );
  const [connection] = opened.runner.connections;
  if (connection === undefined) throw new Error('expected a connection');
  const { io } = context;
  const found = await runOneJob({ ...opened, connection, io, wait, ...(handle === undefined ? {} : { handle }) });
  if (!found) opened.log.info('there is no job');
  return found ? exitCodes.success : exitCodes.noJob;
}
