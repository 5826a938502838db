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
  /** Why the environment is no more, once it is no more. */
  readonly endedBecause: () => string | undefined;
}

/** Starts one process of a job and tells when it starts and ends. */
export function runExec(place: ExecPlace, request: ExecRequest, ctx: CallContext): ExecHandle {
  const before = place.endedBecause();
  if (before !== undefined) return { result: Promise.reject(lost(place, before)), signal: async () => {} };
  const tell = (type: 'exec.start' | 'exec.end'): void =>
    ctx.emit({ type, at: Date.now(), environment: place.name, attributes: {} });
  tell('exec.start');
  const handle = startProcessGroup(request, { signal: ctx.signal, markers: place.marker.env, pipes: place.pipes });
  return { ...handle, result: finish(place, handle.result, () => tell('exec.end')) };
}

async function finish(place: ExecPlace, result: Promise<ExecResult>, tellEnd: () => void): Promise<ExecResult> {
  try {
    const ended = await result;
    const because = place.endedBecause();
    // We killed it ourselves, so how it ended says nothing about the command.
    if (because !== undefined && ended.kind === 'signaled') throw lost(place, because);
    return ended;
  } finally {
    tellEnd();
  }
}

function lost(place: ExecPlace, because: string): BackendError {
  return new BackendError('lost', `environment "${place.name}" is no more: ${because}`, { resource: place.name });
}
