import { mkdir, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import {
  type EnvironmentInfo,
  type EnvironmentRequest,
  type ExecutionEnvironment,
  type Liveness,
  type RemoveReport,
} from '@forgejo-runner/core';
import {
  cancelled,
  endProcesses,
  type IdentitySource,
  makeOwnedFolder,
  type Marker,
  newMarker,
  ownerFileName,
  ownIdentity,
  type ProcessTable,
  removeTree,
} from '@forgejo-runner/kit';
import type { LabelOptions } from './label.ts';
import { openTarget, type Running } from './target.ts';

/** Where environments are made. */
export interface Place {
  readonly parent: string;
  readonly machine: IdentitySource;
  readonly onRemoved: () => void;
}

/** The environment of one job, and how to take it off the clock. */
export interface JobEnvironment extends ExecutionEnvironment {
  readonly remove: () => Promise<RemoveReport>;
  readonly forget: () => void;
}

const folderNames = ['workspace', 'temp', 'toolCache', 'runner', 'home'] as const;
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const architectures: Readonly<Record<string, string>> = { x64: 'X64', arm64: 'ARM64', arm: 'ARM', ia32: 'X86' };
/** A timer takes no longer time than this. */
const longestTimerMs = 2 ** 31 - 1;

/** Makes the folder of one job. Leaves nothing where that fails. */
export async function openEnvironment(
  { parent, machine, onRemoved }: Place,
  { name, owner, expiresAt, options }: EnvironmentRequest & { readonly options: LabelOptions },
  signal: AbortSignal,
): Promise<JobEnvironment> {
  if (signal.aborted) throw cancelled(`making environment "${name}"`);
  const marker = newMarker('ENV');
  const identity = await ownIdentity(machine);
  // The folder gets its owner before its name, so that a crash at any moment leaves nothing without an owner.
  const root = await makeOwnedFolder(
    parent,
    { version: 1, name, owner, process: identity, marker: marker.value, expiresAt },
    async (draft) => {
      for (const folder of folderNames) await mkdir(path.join(draft, folder), { mode: 0o700 });
    },
  );
  const info = describe(root);
  const running: Running = { name, marker, ended: new AbortController() };
  let removal: Promise<RemoveReport> | undefined;
  let isRemoved = false;

  const remove = async (why = 'it was removed'): Promise<RemoveReport> => {
    if (isRemoved) return { removed: [], leaked: [] };
    running.ended.abort(why);
    // Called again while it runs, it is the same removal.
    removal ??= removeEnvironment(root, marker, machine.table).finally(() => (removal = undefined));
    const report = await removal;
    if (report.leaked.length === 0 && !isRemoved) {
      isRemoved = true;
      clearTimeout(timer);
      onRemoved();
    }
    return report;
  };
  let timer = setTimeout(() => {});
  // The runner may forget the environment, so it watches its end itself.
  const wait = (): void => {
    clearTimeout(timer);
    const left = Math.max(expiresAt - Date.now(), 0);
    timer = setTimeout(
      () => (expiresAt > Date.now() ? wait() : void remove('its time is over')),
      Math.min(left, longestTimerMs),
    );
    timer.unref();
  };
  wait();

  return {
    id: name,
    name,
    info,
    target: openTarget(running, { ...passed(options), PATH: defaultPath, HOME: info.paths.home }),
    state: async () => stateOf(root, running, expiresAt),
    remove: () => remove(),
    forget: () => clearTimeout(timer),
    [Symbol.asyncDispose]: async () => void (await remove()),
  };
}

function describe(root: string): EnvironmentInfo {
  const at = (name: (typeof folderNames)[number]): string => path.join(root, name);
  return {
    os: process.platform === 'darwin' ? 'macOS' : 'Linux',
    arch: architectures[process.arch] ?? process.arch,
    hostname: hostname(),
    paths: {
      workspace: at('workspace'),
      temp: at('temp'),
      toolCache: at('toolCache'),
      runner: at('runner'),
      home: at('home'),
    },
    env: { caseInsensitive: false, pathName: 'PATH', pathSeparator: ':', defaultPath },
    pathStyle: 'posix',
    // Jobs share the network of the machine.
    runnerAddress: '127.0.0.1',
  };
}

function passed({ pass }: LabelOptions): Record<string, string> {
  const found = pass.map((name) => [name, process.env[name]] as const);
  return Object.fromEntries(found.flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])));
}

async function stateOf(root: string, { ended }: Running, expiresAt: number): Promise<Liveness> {
  if (ended.signal.aborted) {
    const reason = expiresAt <= Date.now() ? 'expired' : 'stopped';
    return { alive: false, reason, detail: String(ended.signal.reason) };
  }
  const isThere = await stat(root).then(
    () => true,
    () => false,
  );
  return isThere ? { alive: true } : { alive: false, reason: 'unknown', detail: `its folder "${root}" is gone` };
}

const stages = [
  { signal: 'SIGTERM', graceMs: 1000 },
  { signal: 'SIGKILL', graceMs: 0 },
] as const;

/** Ends all processes of an environment, then removes its folder, the owner file last. Never rejects. */
export async function removeEnvironment(root: string, marker: Marker, table: ProcessTable): Promise<RemoveReport> {
  try {
    const { survivors } = await endProcesses({ marker, stages, table });
    if (survivors.length > 0) {
      const error = `processes ${survivors.map(({ pid }) => pid).join(', ')} survived SIGKILL`;
      return { removed: [], leaked: [{ resource: root, error }] };
    }
    const { isRemoved, error = '' } = await removeTree(root, ownerFileName);
    return isRemoved ? { removed: [root], leaked: [] } : { removed: [], leaked: [{ resource: root, error }] };
  } catch (error) {
    return { removed: [], leaked: [{ resource: root, error: String(error) }] };
  }
}
