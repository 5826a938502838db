import {
  BackendError,
  type Container,
  type Env,
  type EnvironmentInfo,
  type EnvironmentRequest,
  type ExecutionEnvironment,
  type JobContainerSpec,
  type Liveness,
  type RemoveReport,
  type ServiceContainer,
  type ServiceContainerSpec,
  type Target,
  type CallContext,
} from '@forgejo-runner/core';
import type { CreateResponse } from '../gen/plugin/v1alpha/plugin_pb.ts';
import type { AlphaConnection } from './v1alpha-connection.ts';
import { alphaTarget } from './v1alpha-target.ts';

/** What an environment of a plugin is made of here. */
export interface AlphaParts {
  readonly connection: AlphaConnection;
  readonly request: EnvironmentRequest;
  readonly created: CreateResponse;
  readonly info: EnvironmentInfo;
  readonly imageEnv: Env;
  readonly remove: () => Promise<RemoveReport>;
}

/**
 * What the inside looks like. The released protocol tells it of each environment, drafts once for all.
 *
 * @throws BackendError `unsupported` where a plugin tells no paths at all.
 */
export function alphaInfo(
  { draft, later, name: plugin }: AlphaConnection,
  created: CreateResponse,
  { task, workdirParent }: { readonly task: EnvironmentRequest['task']; readonly workdirParent: string },
): EnvironmentInfo {
  const told = draft ?? created;
  const { rootPath: root, actPath: runner, toolCachePath: toolCache, tempPath } = told;
  const isWindows = /windows/i.test(told.os || later?.os || '');
  if (root === '' || runner === '') {
    throw new BackendError(
      'unsupported',
      `${plugin} told no paths of an environment: it speaks a draft of plugin.v1alpha that is not known here`,
    );
  }
  const join = (...parts: readonly string[]): string => parts.join(isWindows ? '\\' : '/');
  const workspace = isWindows
    ? join(root, 'workspace')
    : join(workdirParent.replace(/\/+$/, ''), safe(task.repository));
  return {
    os: systemOf(told.os || later?.os || 'Linux'),
    arch: architectureOf(told.arch || later?.arch || 'X64'),
    paths: {
      workspace,
      temp: tempPath === '' ? join(root, 'tmp') : tempPath,
      toolCache: toolCache === '' ? join(root, 'toolcache') : toolCache,
      runner,
      home: join(root, 'home'),
    },
    env: {
      caseInsensitive: told.environmentCaseInsensitive,
      pathName: told.pathVariableName || later?.pathVariableName || 'PATH',
      pathSeparator: (told.pathSeparator || later?.pathSeparator || (isWindows ? ';' : ':')) === ';' ? ';' : ':',
      defaultPath:
        told.defaultPathVariable ||
        later?.defaultPathVariable ||
        '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    },
    pathStyle: isWindows ? 'win32' : 'posix',
  };
}

/** Plugins say what their language calls it. */
function systemOf(told: string): string {
  return (
    { linux: 'Linux', windows: 'Windows', darwin: 'macOS', macos: 'macOS', freebsd: 'FreeBSD' }[told.toLowerCase()] ??
    told
  );
}

function architectureOf(told: string): string {
  const known: Readonly<Record<string, string>> = {
    x64: 'X64',
    x86_64: 'X64',
    amd64: 'X64',
    x86: 'X86',
    i386: 'X86',
    i686: 'X86',
    '386': 'X86',
    arm: 'ARM',
    armv7l: 'ARM',
    arm64: 'ARM64',
    aarch64: 'ARM64',
  };
  return known[told.toLowerCase()] ?? told;
}

/** A repository as two folders, whatever a server calls it. */
function safe(repository: string): string {
  const parts = repository.split('/').filter((part) => /^[\w.-]+$/.test(part) && !/^\.+$/.test(part));
  return parts.length === 0 ? 'job' : parts.join('/');
}

/** The environment of a job, made and started by a plugin of the Go runner. */
export class AlphaEnvironment implements ExecutionEnvironment {
  readonly id: string;
  readonly name: string;
  readonly info: EnvironmentInfo;
  readonly target?: Target;
  readonly #parts: AlphaParts;
  readonly #inner: Target;
  #lost: string | undefined;

  constructor(parts: AlphaParts) {
    const { connection, request, created, info, imageEnv } = parts;
    this.#parts = parts;
    this.id = created.environmentId;
    this.name = request.name;
    this.info = info;
    const place = { connection, environment: this.id, name: this.name, lost: () => this.#lost };
    const home = { HOME: info.paths.home };
    this.#inner = alphaTarget(place, { ...home, ...imageEnv });
    // With an image the whole environment is the job container.
    if (request.plan.jobContainer === undefined) this.target = this.#inner;
  }

  readonly createJobContainer = async (spec: JobContainerSpec): Promise<Container> => ({
    ...this.#inner,
    baseEnv: { ...this.#inner.baseEnv, ...spec.env },
    id: `${this.id}-job`,
    state: this.state,
    ...nothingToRemove,
  });

  /** It was started with the environment. Where its ports are the protocol has no way to say. */
  readonly createServiceContainer = async (spec: ServiceContainerSpec): Promise<ServiceContainer> => ({
    id: `${this.id}-${spec.id}`,
    hostnames: [spec.id],
    ports: [],
    waitReady: async () => {},
    ...nothingToRemove,
  });

  readonly state = async (): Promise<Liveness> => {
    if (this.#lost === undefined) return { alive: true };
    return { alive: false, reason: 'unknown', detail: this.#lost };
  };

  readonly remove = async (ctx: CallContext): Promise<RemoveReport> => {
    const report = await this.#remove();
    for (const resource of report.removed) {
      ctx.emit({ type: 'resource.removed', at: Date.now(), environment: this.name, attributes: { resource } });
    }
    return report;
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#remove();
  }

  async #remove(): Promise<RemoveReport> {
    if (this.#lost !== undefined) return { removed: [], leaked: [] };
    const report = await this.#parts.remove();
    if (report.leaked.length === 0) this.#lost = `environment "${this.name}" was removed`;
    return report;
  }
}

/** It goes with its environment. */
const nothingToRemove = {
  remove: async (): Promise<RemoveReport> => ({ removed: [], leaked: [] }),
  [Symbol.asyncDispose]: async (): Promise<void> => {},
};
