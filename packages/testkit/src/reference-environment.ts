import { mkdir } from 'node:fs/promises';
import type {
  EnvironmentInfo,
  EnvironmentRequest,
  ExecutionEnvironment,
  RemoveReport,
  RunnerArch,
  RunnerOs,
} from '@forgejo-runner/core';
import { endProcesses, newMarker } from '@forgejo-runner/kit';
import { containerMethods } from './reference-containers.ts';
import type { ReferenceEnvironment, ReferencePlace, ReferenceState } from './reference-state.ts';
import { referenceTarget } from './reference-target.ts';
import { openTempFolder, type TempFolder } from './temp-folder.ts';

const systems: Readonly<Record<string, RunnerOs>> = {
  linux: 'Linux',
  darwin: 'macOS',
  win32: 'Windows',
  freebsd: 'FreeBSD',
};
const architectures: Readonly<Record<string, RunnerArch>> = { x64: 'X64', arm64: 'ARM64', arm: 'ARM', ia32: 'X86' };
/** More than a timer takes. */
const longestTimerMs = 2 ** 31 - 1;

/** Makes the folder of one job. */
export async function openReferenceEnvironment(
  state: ReferenceState,
  request: EnvironmentRequest,
): Promise<ReferenceEnvironment> {
  const folder = await openTempFolder('forgejo-runner-reference-');
  const info = infoOf(folder);
  for (const path of Object.values(info.paths)) await mkdir(path);
  let alive = true;
  const place: ReferencePlace = {
    state,
    name: request.name,
    folder,
    marker: newMarker('ENV'),
    info,
    isAlive: () => alive,
  };
  const sweepAway = async (): Promise<RemoveReport> => {
    clearTimeout(timer);
    alive = false;
    await endProcesses({ marker: place.marker, stages: [{ signal: 'SIGKILL', graceMs: 0 }] });
    await folder[Symbol.asyncDispose]();
    return { removed: state.environments.delete(request.name) ? [request.name] : [], leaked: [] };
  };
  const left = Math.min(Math.max(0, request.expiresAt - Date.now()), longestTimerMs);
  const timer = setTimeout(() => void sweepAway(), left).unref();
  return { ...environmentOf(place, request, sweepAway), expiresAt: request.expiresAt, sweepAway };
}

function environmentOf(
  place: ReferencePlace,
  request: EnvironmentRequest,
  sweepAway: () => Promise<RemoveReport>,
): ExecutionEnvironment {
  const { state, name, info } = place;
  const remove = async (): Promise<RemoveReport> => {
    state.record('remove', name);
    if (state.faults.removeRejects === true) throw new Error(`cannot remove "${name}", as the test asked for`);
    if (state.faults.removeLeaks !== true) return sweepAway();
    return { removed: [], leaked: [{ resource: name, error: 'left there, as the test asked for' }] };
  };
  // The job container replaces the machine where containers are native, as with Docker.
  const isReplaced = request.plan.jobContainer !== undefined && state.capabilities.containers.via === 'native';
  const hasTarget = !isReplaced && !(state.faults.missing ?? []).includes('target');
  return {
    id: place.folder.path,
    name,
    info,
    ...(hasTarget ? { target: referenceTarget(place) } : {}),
    ...containerMethods(place),
    state: async () => {
      state.record('state', name);
      return place.isAlive() ? { alive: true } : { alive: false, reason: 'stopped' };
    },
    remove,
    [Symbol.asyncDispose]: async () => {
      await remove().catch(() => {});
    },
  };
}

function infoOf(folder: TempFolder): EnvironmentInfo {
  const isWindows = process.platform === 'win32';
  return {
    os: systems[process.platform] ?? process.platform,
    arch: architectures[process.arch] ?? process.arch,
    paths: {
      workspace: folder.join('workspace'),
      temp: folder.join('temp'),
      toolCache: folder.join('tools'),
      runner: folder.join('runner'),
      home: folder.join('home'),
    },
    env: {
      caseInsensitive: isWindows,
      pathName: isWindows ? 'Path' : 'PATH',
      pathSeparator: isWindows ? ';' : ':',
      defaultPath: process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin',
    },
    pathStyle: isWindows ? 'win32' : 'posix',
    runnerAddress: '127.0.0.1',
  };
}
