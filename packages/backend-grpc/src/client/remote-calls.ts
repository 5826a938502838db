import { BackendError, type CallContext, type Liveness, type Owner, type RemoveReport } from '@forgejo-runner/core';
import { reportFromWire } from '../environment-messages.ts';
import { plain } from '../platform-errors.ts';
import type { Connection } from './connection.ts';

/** Is something on the other side still there? */
export async function stateOf(
  connection: Connection,
  target: { readonly environment: string; readonly container: string },
  ctx: Pick<CallContext, 'signal'>,
): Promise<Liveness> {
  try {
    const what = `asking ${connection.name} for a state`;
    const { alive, reason, detail } = await connection.call(what, { signal: ctx.signal }, (options) =>
      connection.client.getState({ target }, options),
    );
    if (alive) return { alive };
    return {
      alive,
      reason: reason === '' ? 'unknown' : plain(reason),
      ...(detail === '' ? {} : { detail: plain(detail) }),
    };
  } catch (error) {
    if (error instanceof BackendError && error.code === 'not_found') {
      return { alive: false, reason: 'unknown', detail: `${connection.name} does not know it any more` };
    }
    throw error;
  }
}

/** Removes something on the other side, in its own time. What stays, or cannot be asked about, is reported. */
export async function removeRemote(
  connection: Connection,
  target: { readonly environment: string; readonly container: string },
  owner: Owner,
): Promise<RemoveReport> {
  const { removeMs } = connection.limits;
  const attempt = async (): Promise<RemoveReport> => {
    const wire = await connection.call(`removing at ${connection.name}`, { timeoutMs: removeMs }, (options) =>
      connection.client.remove({ target, owner: { ...owner } }, options),
    );
    return reportFromWire(wire);
  };
  try {
    // A connection that was lost since the last call is found out by this one.
    return await attempt().catch(async (error: unknown) => {
      if (error instanceof BackendError && error.code === 'unavailable') return attempt();
      throw error;
    });
  } catch (error) {
    if (error instanceof BackendError && error.code === 'not_found') return { removed: [], leaked: [] };
    const resource = target.container === '' ? target.environment : target.container;
    return { removed: [], leaked: [{ resource, error: error instanceof Error ? error.message : String(error) }] };
  }
}
