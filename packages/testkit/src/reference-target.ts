import { setTimeout as pause } from 'node:timers/promises';
import {
  BackendError,
  type CallContext,
  type ExecHandle,
  type ExecRequest,
  type ExecResult,
  type Target,
} from '@forgejo-runner/core';
import { packTar, startProcessGroup, unpackTar } from '@forgejo-runner/kit';
import { faultError } from './reference-faults.ts';
import type { ReferencePlace } from './reference-state.ts';

/** The machine of a reference environment: processes of this machine, files of its folder. */
export function referenceTarget(place: ReferencePlace): Target {
  const { state, name, info } = place;
  const { faults, record } = state;
  const hasShared = state.capabilities.files.shared && !(faults.missing ?? []).includes('sharedPath');
  return {
    baseEnv: { [info.env.pathName]: info.env.defaultPath, HOME: info.paths.home },
    exec: (request, ctx) => exec(place, request, ctx),
    copyIn: async (request, ctx) => {
      record('copyIn', name, { dest: request.dest });
      if (faults.copyIn !== undefined) throw faultError(faults.copyIn, `copying to "${request.dest}"`);
      if (request.owner === 'keep')
        throw new BackendError('unsupported', 'owners cannot be kept in a temporary folder');
      await unpackTar({ dest: request.dest, tar: request.tar }, ctx.signal);
    },
    copyOut: (request, ctx) => {
      record('copyOut', name, request);
      if (faults.copyOut !== undefined) return rejecting(faultError(faults.copyOut, `copying "${request.src}"`));
      return packTar(request, ctx.signal);
    },
    ...(hasShared ? { sharedPath: (path: string) => path } : {}),
  };
}

/** Runs a process with the marker of its environment, and with the faults of the test. */
export function exec(place: ReferencePlace, request: ExecRequest, ctx: CallContext): ExecHandle {
  const { state, name } = place;
  state.record('exec', name, { argv: request.argv, env: request.env, cwd: request.cwd, user: request.user });
  const starting = start(place, request, ctx);
  const hasSignal = state.capabilities.exec.signals && !(state.faults.missing ?? []).includes('signal');
  return {
    result: settle(place, request, starting),
    ...(hasSignal ? { signal: async (signal) => (await starting)?.signal?.(signal) } : {}),
  };
}

/** Undefined where it was stopped before it began. */
async function start(
  { state, marker }: ReferencePlace,
  request: ExecRequest,
  { signal }: CallContext,
): Promise<ExecHandle | undefined> {
  const delayMs = state.faults.execDelayMs ?? 0;
  if (delayMs > 0) await pause(delayMs, undefined, { signal }).catch(() => {});
  return signal.aborted ? undefined : startProcessGroup(request, { signal, markers: marker.env });
}

async function settle(
  place: ReferencePlace,
  request: ExecRequest,
  starting: Promise<ExecHandle | undefined>,
): Promise<ExecResult> {
  const result = (await (await starting)?.result) ?? { kind: 'stopped', survivors: 0 };
  if (place.state.faults.execLost?.(request.argv) === true) {
    throw new BackendError('lost', `no record of how "${request.argv[0]}" ended, as the test asked for`);
  }
  if (result.kind !== 'stopped' && !place.isAlive()) {
    throw new BackendError('lost', `"${place.name}" was removed while "${request.argv[0]}" ran in it`);
  }
  return result;
}

// oxlint-disable-next-line require-yield -- it has nothing to give
async function* rejecting(error: Error): AsyncGenerator<Uint8Array> {
  throw error;
}
