import { accessSync, constants, statSync } from 'node:fs';
import { hostname } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type {
  CallContext,
  DockerEndpointDescriptor,
  Env,
  EnvironmentInfo,
  ExecHandle,
  ExecutionEnvironment,
  Liveness,
  RemoveReport,
  RunnerArch,
  RunnerOs,
  Target,
} from '@forgejo-runner/core';
import { endProcesses, type Marker, PipeSource, type ProcessTable, removeOwnedFolder } from '@forgejo-runner/kit';
import { searchPath } from './clean-environment.ts';
import { copyIn, copyOut } from './copy.ts';
import { runExec } from './exec.ts';
import { type JobFolders, toolCacheName } from './job-folders.ts';

/** What an environment is made of. */
export interface HostEnvironmentParts {
  readonly name: string;
  readonly folders: JobFolders;
  readonly marker: Marker;
  readonly expiresAt: number;
  readonly cleanEnv: Env;
  readonly runnerEnv: NodeJS.ProcessEnv;
  readonly platform: NodeJS.Platform;
  readonly table: ProcessTable;
  /** Runs the containers of the job. */
  readonly engine?: DockerEndpointDescriptor | undefined;
  /** Called once it is removed. */
  readonly onRemoved: () => void;
}

/** Stages for what a job left running: it had its chance to end during the job. */
const orphanStages = [
  { signal: 'SIGTERM', graceMs: 1000 },
  { signal: 'SIGKILL', graceMs: 0 },
] as const;

/** How long a removal waits for commands that it ended to hand over their last output. */
const runningBoundMs = 3000;

/** A timer takes no longer time than this. */
const longestTimerMs = 2 ** 31 - 1;

/** The folders and processes of one job on this machine. */
export class HostEnvironment implements ExecutionEnvironment {
  readonly id: string;
  readonly name: string;
  readonly info: EnvironmentInfo;
  readonly target: Target;
  readonly dockerEndpoint?: () => Promise<DockerEndpointDescriptor>;
  readonly #parts: HostEnvironmentParts;
  readonly #pipes: PipeSource;
  readonly #ended = new AbortController();
  #endedAs: 'expired' | 'stopped' | undefined;
  readonly #running = new Set<Promise<unknown>>();
  #removal: Promise<RemoveReport> | undefined;
  #isRemoved = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: HostEnvironmentParts) {
    this.#parts = parts;
    this.id = parts.name;
    this.name = parts.name;
    this.#pipes = new PipeSource(parts.folders.pipes, parts.platform);
    const home = homeFolder(parts);
    this.info = environmentInfo(parts, home);
    this.target = this.#makeTarget(home);
    const { engine } = parts;
    // The method exists if and only if the capability says so.
    if (engine !== undefined) this.dockerEndpoint = async () => engine;
    this.#setTimer();
  }

  readonly state = async (): Promise<Liveness> => {
    if (this.#endedAs !== undefined)
      return { alive: false, reason: this.#endedAs, detail: String(this.#ended.signal.reason) };
    if (isUsable(this.#parts.folders.root)) return { alive: true };
    return { alive: false, reason: 'unknown', detail: `its folder "${this.#parts.folders.root}" is gone` };
  };

  readonly remove = async (ctx: CallContext): Promise<RemoveReport> => {
    const report = await this.#removeNow('stopped', 'it was removed');
    for (const resource of report.removed) {
      ctx.emit({ type: 'resource.removed', at: Date.now(), environment: this.name, attributes: { resource } });
    }
    return report;
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#removeNow('stopped', 'it was removed');
  }

  /** Stops the clock, when the backend closes. */
  forget(): void {
    clearTimeout(this.#timer);
  }

  #makeTarget(home: string): Target {
    const { marker, name, cleanEnv } = this.#parts;
    const place = { name, marker, pipes: this.#pipes, ended: this.#ended.signal };
    return {
      baseEnv: baseEnv(cleanEnv, this.#parts, home),
      exec: (request, ctx) => this.#track(runExec(place, request, ctx)),
      copyIn,
      copyOut,
      // The runner and the job see the same disk.
      sharedPath: (given) => (path.isAbsolute(given) ? given : undefined),
    };
  }

  #track(handle: ExecHandle): ExecHandle {
    const forget = (): boolean => this.#running.delete(settled);
    const settled: Promise<unknown> = handle.result.then(forget, forget);
    this.#running.add(settled);
    return handle;
  }

  #setTimer(): void {
    const leftMs = this.#parts.expiresAt - Date.now();
    const onTime = (): void => {
      if (this.#parts.expiresAt > Date.now()) this.#setTimer();
      else void this.#removeNow('expired', 'its time is over');
    };
    this.#timer = setTimeout(onTime, Math.min(Math.max(leftMs, 0), longestTimerMs));
    // It must not keep a runner alive that wants to end.
    this.#timer.unref();
  }

  async #removeNow(reason: 'expired' | 'stopped', text: string): Promise<RemoveReport> {
    if (this.#isRemoved) return { removed: [], leaked: [] };
    this.#endedAs ??= reason;
    this.#ended.abort(text);
    clearTimeout(this.#timer);
    this.#removal ??= this.#removeParts().finally(() => {
      this.#removal = undefined;
    });
    return this.#removal;
  }

  async #removeParts(): Promise<RemoveReport> {
    const { folders, marker, table, onRemoved } = this.#parts;
    await this.#pipes.close();
    if (this.#running.size > 0) {
      // One that was just about to start is not in the first list; that it ended, its own stop tells.
      await endProcesses({ marker, stages: orphanStages, table });
      await Promise.race([Promise.allSettled(this.#running), pause(runningBoundMs, undefined, { ref: false })]);
    }
    const report = await removeEnvironment({ root: folders.root, marker, table });
    if (report.leaked.length > 0) return report;
    this.#isRemoved = true;
    onRemoved();
    return report;
  }
}

/** Ends the processes of an environment, then removes its folder. Never rejects. */
export async function removeEnvironment(parts: {
  readonly root: string;
  readonly marker: Marker;
  readonly table: ProcessTable;
}): Promise<RemoveReport> {
  const leaked: { resource: string; error: string }[] = [];
  try {
    const { survivors } = await endProcesses({ marker: parts.marker, stages: orphanStages, table: parts.table });
    leaked.push(...survivors.map(({ pid }) => ({ resource: `process ${pid}`, error: 'it survived SIGKILL' })));
  } catch (error) {
    leaked.push({ resource: `processes of ${parts.root}`, error: String(error) });
  }
  // With the owner file in it as long as a process lives: that file is how the next sweep finds the process.
  if (leaked.length > 0)
    return { removed: [], leaked: [...leaked, { resource: parts.root, error: 'it is still in use' }] };
  const { isRemoved, error = '' } = await removeOwnedFolder(parts.root);
  return isRemoved ? { removed: [parts.root], leaked } : { removed: [], leaked: [{ resource: parts.root, error }] };
}

/** The variable that names the home folder. */
function homeVariable(platform: NodeJS.Platform): string {
  return platform === 'win32' ? 'USERPROFILE' : 'HOME';
}

/** The runner's home where the allow list hands it on and it can be used, else one of the job's own. */
function homeFolder({ cleanEnv, platform, folders }: HostEnvironmentParts): string {
  const given = cleanEnv[homeVariable(platform)];
  return given !== undefined && path.isAbsolute(given) && isUsable(given) ? given : folders.home;
}

function isUsable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
    return statSync(folder).isDirectory();
  } catch {
    return false;
  }
}

function baseEnv(cleanEnv: Env, { platform, folders }: HostEnvironmentParts, home: string): Env {
  const isWindows = platform === 'win32';
  return {
    ...cleanEnv,
    [homeVariable(platform)]: home,
    // Windows programs write there without asking, and what is in the job's own folder is removed with it.
    ...(isWindows ? { TEMP: folders.temp, TMP: folders.temp } : {}),
  };
}

const systems: Readonly<Partial<Record<NodeJS.Platform, RunnerOs>>> = {
  linux: 'Linux',
  darwin: 'macOS',
  win32: 'Windows',
  freebsd: 'FreeBSD',
};

const architectures: Readonly<Record<string, RunnerArch>> = { x64: 'X64', ia32: 'X86', arm: 'ARM', arm64: 'ARM64' };

function environmentInfo({ folders, platform, runnerEnv }: HostEnvironmentParts, home: string): EnvironmentInfo {
  return {
    os: systems[platform] ?? platform,
    arch: architectures[process.arch] ?? process.arch,
    hostname: hostname(),
    paths: {
      workspace: folders.workspace,
      temp: folders.temp,
      toolCache: path.join(path.dirname(folders.root), toolCacheName),
      runner: folders.runner,
      home,
    },
    env: searchPath(runnerEnv, platform),
    pathStyle: platform === 'win32' ? 'win32' : 'posix',
    runnerAddress: '127.0.0.1',
  };
}
