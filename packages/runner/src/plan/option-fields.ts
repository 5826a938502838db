import type { Healthcheck, Mount, Port } from '@forgejo-runner/core';
import type { Device, Ulimit } from './option-values.ts';

/**
 * The values of `ContainerSpec.options`, by the names of the contract where it has one. Sizes are bytes; what is not
 * set is absent. Backends find them there as they are here.
 */
export interface OptionFields {
  readonly user?: string;
  readonly workdir?: string;
  readonly init?: true;
  readonly tty?: true;
  readonly healthcheck?: Healthcheck;
  readonly hostname?: string;
  /** `os/arch[/variant]`. */
  readonly platform?: string;
  readonly memory?: number;
  readonly cpus?: number;
  readonly shmSize?: number;
  /** Mount options by path. */
  readonly tmpfs?: Readonly<Record<string, string>>;
  readonly ulimits?: readonly Ulimit[];
  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  readonly privileged?: true;
  /** `host:address`, where the address may be `host-gateway`. */
  readonly extraHosts?: readonly string[];
  readonly pidsLimit?: number;
  readonly memoryReservation?: number;
  /** -1 is no limit. */
  readonly memorySwap?: number;
  readonly cpuShares?: number;
  readonly cpusetCpus?: string;
  readonly readOnly?: true;
  readonly groupAdd?: readonly string[];
  readonly stopSignal?: string;
  readonly dns?: readonly string[];
  readonly dnsSearch?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly devices?: readonly Device[];
  readonly securityOpt?: readonly string[];
  readonly sysctls?: Readonly<Record<string, string>>;
  /** As docker run takes it: `all`, a number, or `device=0,1`. */
  readonly gpus?: string;
  readonly runtime?: string;
  /** Whose namespaces a container shares, such as `host`. */
  readonly pidMode?: string;
  readonly ipcMode?: string;
  readonly utsMode?: string;
  readonly usernsMode?: string;
  readonly cgroupnsMode?: string;
  readonly cgroupParent?: string;
}

/** What the text of `options` asks for. */
export interface ContainerOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly mounts: readonly Mount[];
  readonly ports: readonly Port[];
  /** More names in the network of the job. */
  readonly aliases: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly pull?: 'missing' | 'always' | 'never';
  /** What of a health check is set; the rest is as by default. */
  readonly health: Partial<Healthcheck>;
  readonly fields: OptionFields;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Options while they are being read. */
export type OptionDraft = Writable<Omit<ContainerOptions, 'fields' | 'health'>> & {
  readonly health: Writable<Partial<Healthcheck>>;
  readonly fields: Writable<OptionFields>;
};

/** Nothing was asked for. */
export const noOptions: ContainerOptions = { env: {}, mounts: [], ports: [], aliases: [], health: {}, fields: {} };
