import type { LabelConfiguration } from '@forgejo-runner/core';
import type { YamlNode } from '../workflow/yaml-node.ts';

/** Levels of the Go runner's logs, the quietest last. */
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'panic';

/** The configuration of a runner with every default filled in. What is absent has no default. */
export interface RunnerConfig {
  /** Where each value stands; absent for the built-in defaults. */
  readonly source?: YamlNode;
  readonly log: { readonly level: LogLevel; readonly jobLevel: LogLevel };
  readonly runner: RunnerSection;
  readonly cache: CacheSection;
  readonly container: ContainerSection;
  /** `host.workdir_parent` as an absolute path. */
  readonly host: { readonly workdirParent?: string };
  /** `server.connections` by name. */
  readonly connections: ReadonlyMap<string, ConnectionSection>;
  readonly health: HealthSection;
  readonly plugins: ReadonlyMap<string, PluginSection>;
  /** `backend.<id>` as it stands there: the factory of the backend validates it. */
  readonly backends: ReadonlyMap<string, unknown>;
  /** `runner.labels`, and after them the labels of connections, which name their connection. */
  readonly labels: readonly LabelConfiguration[];
}

export interface RunnerSection {
  readonly file: string;
  readonly capacity: number;
  readonly labelCapacity: ReadonlyMap<string, number>;
  /** Read from a file, those of `envFile` are among them. */
  readonly envs: ReadonlyMap<string, string>;
  readonly envFile?: string;
  readonly timeoutMs: number;
  /** 0 cancels running jobs at once. */
  readonly shutdownTimeoutMs: number;
  readonly insecure: boolean;
  readonly fetchTimeoutMs: number;
  readonly fetchIntervalMs: number;
  readonly reportIntervalMs: number;
  readonly reportRetry: RetrySection;
  /** Absent: do not try again. */
  readonly startupRetry?: RetrySection;
}

export interface RetrySection {
  readonly maxRetries: number;
  readonly initialDelayMs: number;
  /** 0 is no limit. */
  readonly maxDelayMs: number;
}

export interface CacheSection {
  readonly enabled: boolean;
  readonly dir?: string;
  readonly host?: string;
  readonly port: number;
  readonly proxyPort: number;
  readonly externalServer?: string;
  readonly secret?: string;
  readonly secretUrl?: string;
  readonly actionsCacheUrlOverride?: string;
  readonly bind?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  /** `Infinity` where there is none. */
  readonly limits: {
    readonly maxBytes: number;
    readonly maxRepositoryBytes: number;
    readonly maxUnusedMs: number;
    readonly maxAgeMs: number;
  };
  readonly s3?: S3Section;
}

export interface S3Section {
  readonly bucket: string;
  /** Without slashes around it. */
  readonly prefix: string;
  readonly endpoint?: string;
  readonly region: string;
  readonly accessKey?: string;
  readonly secretKey?: string;
  readonly secretKeyUrl?: string;
}

export interface ContainerSection {
  /** Absent: one network for each job. */
  readonly network?: string;
  readonly enableIpv6: boolean;
  readonly privileged: boolean;
  readonly options: string;
  readonly workdirParent: string;
  readonly validVolumes: readonly string[];
  readonly dockerHost: string;
  readonly forcePull: boolean;
  readonly forceRebuild: boolean;
}

export interface ConnectionSection {
  readonly url: string;
  readonly uuid: string;
  readonly token?: string;
  readonly tokenUrl?: string;
  readonly caFile?: string;
  readonly codec: 'json' | 'binary';
  readonly fetchIntervalMs?: number;
}

export interface HealthSection {
  /** Absent: nothing listens. */
  readonly listen?: string;
  readonly token?: string;
  readonly tokenUrl?: string;
}

export interface PluginSection {
  readonly address: string;
  readonly options: unknown;
  readonly tls?: unknown;
  readonly insecure_tcp?: true;
  readonly workdir_parent?: string;
}
