import type { CallContext, RemoveReport } from '@forgejo-runner/core';
import type { JobPlace } from './job-place.ts';
import { type Removable, removeObjects } from './remove-objects.ts';

/** What a runner that closes something without a context of its own gives it. */
const defaultMs = 60_000;

/** The two ways of removing a container, for the handle of it. */
export function removal(
  { endpoint, request }: Pick<JobPlace, 'endpoint' | 'request'>,
  object: Removable,
): {
  readonly remove: (ctx: CallContext) => Promise<RemoveReport>;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
} {
  let isRemoved = false;
  const remove = async (ctx: CallContext): Promise<RemoveReport> => {
    if (isRemoved) return { removed: [], leaked: [] };
    const report = await removeObjects(endpoint, [object], removalContext(ctx));
    isRemoved = report.leaked.length === 0;
    emitRemoved(request.name, report, ctx);
    return report;
  };
  return {
    remove,
    [Symbol.asyncDispose]: async () => {
      await remove(cleanUpContext());
    },
  };
}

/** Tells the runner what there no longer is. */
export function emitRemoved(environment: string, { removed }: RemoveReport, ctx: CallContext): void {
  for (const resource of removed) {
    ctx.emit({ type: 'resource.removed', at: Date.now(), environment, attributes: { resource } });
  }
}

/** A removal that is asked for when the call is over already has to happen all the same, in a time of its own. */
export function removalContext(ctx: CallContext): CallContext {
  if (!ctx.signal.aborted) return ctx;
  const { signal, deadline } = cleanUpContext();
  return { ...ctx, signal, deadline };
}

const silent = (): void => {};

/** A context for removing that belongs to no call. */
export function cleanUpContext(ms: number = defaultMs): CallContext {
  return {
    signal: AbortSignal.timeout(ms),
    deadline: Date.now() + ms,
    log: { debug: silent, info: silent, warn: silent, error: silent },
    progress: silent,
    emit: silent,
  };
}
