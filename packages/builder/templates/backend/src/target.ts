import path from 'node:path';
import { BackendError, type Env, type ExecHandle, type ExecResult, type Target } from '@forgejo-runner/core';
import { type Marker, packTar, startProcessGroup, unpackTar } from '@forgejo-runner/kit';

/** What the processes of an environment have in common. */
export interface Running {
  readonly name: string;
  /** A variable that every process carries, so that it is found again wherever it went. */
  readonly marker: Marker;
  /** Aborts when the environment is no more, with the reason as text. */
  readonly ended: AbortController;
}

/** Where steps run: processes of this machine, and its files. */
export function openTarget({ name, marker, ended }: Running, baseEnv: Env): Target {
  const lost = (): BackendError =>
    new BackendError('lost', `environment "${name}" is no more: ${String(ended.signal.reason)}`, { resource: name });
  return {
    baseEnv,
    exec: (request, ctx): ExecHandle => {
      if (ended.signal.aborted) return { result: Promise.reject(lost()), signal: async () => {} };
      const tell = (type: 'exec.start' | 'exec.end'): void =>
        ctx.emit({ type, at: Date.now(), environment: name, attributes: {} });
      tell('exec.start');
      const signal = AbortSignal.any([ctx.signal, ended.signal]);
      const handle = startProcessGroup(request, { signal, markers: marker.env });
      const finish = async (): Promise<ExecResult> => {
        try {
          const result = await handle.result;
          // Killed with the environment: how it ended says nothing about the command, and is never a success.
          if (ended.signal.aborted && !ctx.signal.aborted && result.kind !== 'exited') throw lost();
          return result;
        } finally {
          tell('exec.end');
        }
      };
      return { ...handle, result: finish() };
    },
    copyIn: async (request, ctx) => {
      if (request.owner === 'keep') {
        throw new BackendError('unsupported', 'owners cannot be kept on this machine; leave "owner" out');
      }
      requireAbsolute(request.dest);
      await unpackTar(request, ctx.signal);
    },
    copyOut: async function* (request, ctx) {
      requireAbsolute(request.src);
      yield* packTar(request, ctx.signal);
    },
    // The runner sees the same files, so it need not copy.
    sharedPath: (given) => (path.isAbsolute(given) ? given : undefined),
  };
}

function requireAbsolute(given: string): void {
  if (path.isAbsolute(given) && !given.includes('\0')) return;
  throw new BackendError('plan', `expected an absolute path, found ${JSON.stringify(given.slice(0, 200))}`, {
    resource: given,
  });
}
