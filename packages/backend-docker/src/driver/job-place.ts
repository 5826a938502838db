import type { CallContext, EnvironmentRequest } from '@forgejo-runner/core';
import type { Making } from './ask-engine.ts';
import type { DockerEndpoint } from './endpoint.ts';
import type { JobNetwork } from './networks.ts';
import type { EngineMount } from './volumes.ts';

/** What the administrator says about all containers of a job. */
export interface JobSettings {
  /** Used as it is; absent for a network of the job's own. */
  readonly network?: string;
  readonly hasIpv6: boolean;
  /** `asked` leaves it to the runner's own check, where a backend has no configuration of its own. */
  readonly privileged: 'never' | 'asked' | 'always';
  /** Most of each that one container gets. */
  readonly memory?: number;
  readonly cpus?: number;
  readonly pidsLimit?: number;
  /** The socket of the engine, on its machine, for jobs to use. */
  readonly socket?: string;
  /** Address of the machine that ports are published at; absent for all. */
  readonly publishAt?: string;
  readonly binds: 'target-paths' | 'none';
  /** How the machine around the engine reaches the runner, where it is not the runner's own. */
  readonly runnerAddress?: string;
}

/** The folders that the containers of a job share, and how. */
export interface JobFolders {
  readonly paths: {
    readonly workspace: string;
    readonly temp: string;
    readonly toolCache: string;
    readonly runner: string;
  };
  readonly mounts: readonly EngineMount[];
  /** Volumes to be made for it. */
  readonly volumes: readonly string[];
  /** Folders that are handed to the user of the job container, which has them all to itself. */
  readonly given: readonly string[];
}

/** Where the containers of one job are made. */
export interface JobPlace {
  readonly endpoint: DockerEndpoint;
  readonly request: Pick<EnvironmentRequest, 'name' | 'owner' | 'expiresAt' | 'plan'>;
  readonly settings: JobSettings;
  readonly folders: JobFolders;
  readonly network: JobNetwork;
  /** Is told of everything that the engine is asked to make. */
  readonly making: Making;
}

/** Tells the runner what there is now. */
export function emitCreated({ request }: Pick<JobPlace, 'request'>, resource: string, ctx: CallContext): void {
  ctx.emit({ type: 'resource.created', at: Date.now(), environment: request.name, attributes: { resource } });
}
