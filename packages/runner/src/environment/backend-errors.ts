import {
  BackendError,
  type BackendId,
  type CallContext,
  type CopyOutRequest,
  type ExecHandle,
  type ExecRequest,
  isBackendError,
  type Target,
} from '@forgejo-runner/core';

/** What a backend threw, as a `BackendError`: anything that is not branded is a defect of the backend. */
export function asBackendError(error: unknown, backend: BackendId): BackendError {
  if (isBackendError(error)) return error;
  return new BackendError('internal', `backend "${backend}" failed: ${messageOf(error)}`, {
    cause: error,
    hint: authorHint,
  });
}

/** A backend that does not do what the contract says. `rule` is the check of the conformance suite that finds it. */
export function contractViolation(backend: BackendId, rule: string, what: string): BackendError {
  return new BackendError('internal', `backend "${backend}" breaks the contract (${rule}): ${what}`, {
    resource: backend,
    hint: authorHint,
  });
}

const authorHint = 'report this to the author of the backend';

/** A target whose calls reject with `BackendError` only. */
export function guardTarget(target: Target, backend: BackendId): Target {
  return {
    baseEnv: target.baseEnv,
    exec: (request, ctx) => guardedExec(target, backend, request, ctx),
    copyIn: async (request, ctx) => guarded(target.copyIn(request, ctx), backend),
    copyOut: (request, ctx) => guardedChunks(target, backend, request, ctx),
    ...(target.sharedPath === undefined ? {} : { sharedPath: (path) => target.sharedPath?.(path) }),
  };
}

function guardedExec(target: Target, backend: BackendId, request: ExecRequest, ctx: CallContext): ExecHandle {
  let handle: ExecHandle;
  try {
    handle = target.exec(request, ctx);
  } catch (error) {
    throw asBackendError(error, backend);
  }
  return {
    result: guarded(handle.result, backend),
    ...(handle.signal === undefined ? {} : { signal: async (signal) => handle.signal?.(signal) }),
    ...(handle.resize === undefined ? {} : { resize: async (size) => handle.resize?.(size) }),
  };
}

async function guarded<T>(call: Promise<T>, backend: BackendId): Promise<T> {
  try {
    return await call;
  } catch (error) {
    throw asBackendError(error, backend);
  }
}

async function* guardedChunks(
  target: Target,
  backend: BackendId,
  request: CopyOutRequest,
  ctx: CallContext,
): AsyncGenerator<Uint8Array> {
  try {
    yield* target.copyOut(request, ctx);
  } catch (error) {
    throw asBackendError(error, backend);
  }
}

/** What an error says, of whatever kind it is. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
