import {
  BackendError,
  type CallContext,
  type ExecHandle,
  type ExecRequest,
  type ExecResult,
} from '@forgejo-runner/core';
import { type Marker, type PipeSource, startProcessGroup } from '@forgejo-runner/kit';

/** The place that a process runs in. */
export interface ExecPlace {
  readonly name: string;
  readonly marker: Marker;
  readonly pipes: PipeSource;
  /** Aborts when the environment is no more; its reason is a text that says why. */
  readonly ended: AbortSignal;
}

/** Starts one process of a job and tells when it starts and ends. */
export function runExec(place: ExecPlace, request: ExecRequest, ctx: CallContext): ExecHandle {
  if (place.ended.aborted) return { result: Promise.reject(lost(place)), signal: async () => {} };
  const tell = (type: 'exec.start' | 'exec.end'): void =>
    ctx.emit({ type, at: Date.now(), environment: place.name, attributes: {} });
  tell('exec.start');
  // Also ends with the environment, so that no process starts while the environment is being removed.
  const signal = AbortSignal.any([ctx.signal, place.ended]);
  const handle = startProcessGroup(request, { signal, markers: place.marker.env, pipes: place.pipes });
  return { ...handle, result: finish(place, handle.result, ctx, () => tell('exec.end')) };
}

async function finish(
  place: ExecPlace,
  result: Promise<ExecResult>,
  ctx: CallContext,
  tellEnd: () => void,
): Promise<ExecResult> {
  try {
    const ended = await result;
    // We killed it ourselves, so how it ended says nothing about the command.
    if (place.ended.aborted && !ctx.signal.aborted && ended.kind !== 'exited') throw lost(place);
    return ended;
  } finally {
    tellEnd();
  }
}

function lost(place: ExecPlace): BackendError {
  return new BackendError('lost', `environment "${place.name}" is no more: ${String(place.ended.reason)}`, {
    resource: place.name,
  });
}
