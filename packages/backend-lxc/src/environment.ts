import path from 'node:path';
import type {
  CallContext,
  Container,
  DockerEndpointDescriptor,
  EnvironmentInfo,
  ExecutionEnvironment,
  Liveness,
  RemoveReport,
  RunnerArch,
  Target,
} from '@forgejo-runner/core';
import { type Marker, PipeSource } from '@forgejo-runner/kit';
import { countOoms, type InitProcess, type LxcPrograms, removeContainer, type RunningContainer } from './container.ts';
import { copyIn, copyOut } from './copy.ts';
import type { DockerTunnel } from './docker-tunnel.ts';
import { execInside } from './exec.ts';

/** Where the folders of a job are in its container. */
export const insidePaths = {
  workspace: '/var/lib/forgejo-job/workspace',
  temp: '/var/lib/forgejo-job/temp',
  runner: '/var/lib/forgejo-job/runner',
  toolCache: '/opt/hostedtoolcache',
  home: '/root',
} as const;

const searchPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const architectures: Readonly<Record<string, RunnerArch>> = { x64: 'X64', ia32: 'X86', arm: 'ARM', arm64: 'ARM64' };
/** A timer takes no longer time than this. */
const longestTimerMs = 2 ** 31 - 1;

/** What an environment is made of. */
export interface LxcEnvironmentParts {
  readonly name: string;
  readonly parent: string;
  readonly programs: LxcPrograms;
  readonly marker: Marker;
  readonly init: InitProcess;
  readonly expiresAt: number;
  readonly runnerAddress: string | undefined;
  /** Called once it is removed. */
  readonly onRemoved: () => Promise<void>;
}

/** The container of one job. */
export class LxcEnvironment implements ExecutionEnvironment {
  readonly id: string;
  readonly name: string;
  readonly info: EnvironmentInfo;
  readonly target: Target;
  readonly container: RunningContainer;
  dockerEndpoint?: () => Promise<DockerEndpointDescriptor>;
  readonly #parts: LxcEnvironmentParts;
  readonly #pipes: PipeSource;
  readonly #ended = new AbortController();
  #tunnel: DockerTunnel | undefined;
  #endedAs: 'expired' | 'stopped' | undefined;
  #ooms = 0;
  #removal: Promise<RemoveReport> | undefined;
  #isRemoved = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: LxcEnvironmentParts) {
    const { name, parent, programs, marker } = parts;
    this.#parts = parts;
    this.id = `${parent}/${name}`;
    this.name = name;
    this.#pipes = new PipeSource(path.join(parent, name, 'pipes'), 'linux');
    this.container = {
      name,
      parent,
      attach: programs.attach,
      root: programs.root,
      marker,
      pipes: this.#pipes,
      ended: this.#ended.signal,
      isAlive: () => this.#isAlive(),
      hasNewOom: () => this.#hasNewOom(),
    };
    this.info = environmentInfo(parts);
    this.target = targetOf(this.container);
    this.#setTimer();
  }

  /** From now on an engine of the container runs the containers of the job. */
  setDocker(tunnel: DockerTunnel): void {
    this.#tunnel = tunnel;
    this.dockerEndpoint = async () => tunnel.descriptor;
  }

  readonly state = async (): Promise<Liveness> => {
    if (this.#endedAs !== undefined) {
      return {
        alive: false,
        reason: this.#endedAs,
        detail: this.#endedAs === 'expired' ? 'its time is over' : 'it was removed',
      };
    }
    if (await this.#isAlive()) return { alive: true };
    if (Date.now() >= this.#parts.expiresAt) return { alive: false, reason: 'expired', detail: 'its time is over' };
    return { alive: false, reason: 'stopped', detail: 'its first process ended' };
  };

  readonly remove = async (ctx: CallContext): Promise<RemoveReport> => {
    const report = await this.#removeAs('stopped');
    for (const resource of report.removed) {
      ctx.emit({ type: 'resource.removed', at: Date.now(), environment: this.name, attributes: { resource } });
    }
    return report;
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#removeAs('stopped');
  }

  /** Stops the clock, when the backend closes. */
  forget(): void {
    clearTimeout(this.#timer);
  }

  async #isAlive(): Promise<boolean> {
    const { init, programs } = this.#parts;
    return (await programs.root.table.startOf(init.pid)) === init.started;
  }

  async #hasNewOom(): Promise<boolean> {
    const before = this.#ooms;
    this.#ooms = await countOoms(this.#parts.programs, this.#parts);
    return this.#ooms > before;
  }

  #setTimer(): void {
    const { expiresAt } = this.#parts;
    const onTime = (): void => {
      if (expiresAt > Date.now()) this.#setTimer();
      else void this.#removeAs('expired');
    };
    this.#timer = setTimeout(onTime, Math.min(Math.max(expiresAt - Date.now(), 0), longestTimerMs));
    // It must not keep a runner alive that wants to end.
    this.#timer.unref();
  }

  async #removeAs(reason: 'expired' | 'stopped'): Promise<RemoveReport> {
    if (this.#isRemoved) return { removed: [], leaked: [] };
    this.#endedAs ??= reason;
    clearTimeout(this.#timer);
    this.#removal ??= this.#removeParts().finally(() => {
      this.#removal = undefined;
    });
    return this.#removal;
  }

  async #removeParts(): Promise<RemoveReport> {
    const { parent, name, onRemoved } = this.#parts;
    this.#ended.abort();
    await this.#tunnel?.[Symbol.asyncDispose]();
    await this.#pipes.close();
    const report = await removeContainer(this.#parts.programs, { ...this.#parts, folder: path.join(parent, name) });
    if (report.leaked.length > 0) return report;
    this.#isRemoved = true;
    await onRemoved();
    return report;
  }
}

function targetOf(container: RunningContainer): Pick<Container, 'baseEnv' | 'exec' | 'copyIn' | 'copyOut'> {
  return {
    baseEnv: { PATH: searchPath, HOME: insidePaths.home, LANG: 'C.UTF-8', USER: 'root', SHELL: '/bin/sh' },
    exec: (request, ctx) => execInside(container, request, ctx),
    copyIn: (request, ctx) => copyIn(container, request, ctx),
    copyOut: (request, ctx) => copyOut(container, request, ctx),
  };
}

function environmentInfo({ name, runnerAddress }: LxcEnvironmentParts): EnvironmentInfo {
  return {
    os: 'Linux',
    arch: architectures[process.arch] ?? process.arch,
    hostname: name,
    paths: insidePaths,
    env: { caseInsensitive: false, pathName: 'PATH', pathSeparator: ':', defaultPath: searchPath },
    pathStyle: 'posix',
    ...(runnerAddress === undefined ? {} : { runnerAddress }),
  };
}
