import { BackendError, type ContainerSpec, type Healthcheck } from '@forgejo-runner/core';
import type { ContainerCreateOptions, HostConfig } from 'dockerode';
import * as z from 'zod';

/** What `docker run` can be told beside image, environment, mounts and ports. Sizes are bytes. */
export interface RunOptions {
  readonly user?: string;
  readonly workdir?: string;
  readonly init?: boolean;
  readonly tty?: boolean;
  readonly healthcheck?: Healthcheck;
  readonly hostname?: string;
  readonly platform?: string;
  readonly memory?: number;
  readonly cpus?: number;
  readonly shmSize?: number;
  readonly tmpfs?: Readonly<Record<string, string>>;
  readonly ulimits?: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly capAdd?: readonly string[];
  readonly capDrop?: readonly string[];
  readonly privileged?: boolean;
  readonly extraHosts?: readonly string[];
  readonly pidsLimit?: number;
  readonly memoryReservation?: number;
  readonly memorySwap?: number;
  readonly cpuShares?: number;
  readonly cpusetCpus?: string;
  readonly readOnly?: boolean;
  readonly groupAdd?: readonly string[];
  readonly stopSignal?: string;
  readonly dns?: readonly string[];
  readonly dnsSearch?: readonly string[];
  readonly labels?: Readonly<Record<string, string>>;
  readonly devices?: readonly { readonly source: string; readonly target: string; readonly permissions: string }[];
  readonly securityOpt?: readonly string[];
  readonly sysctls?: Readonly<Record<string, string>>;
  readonly gpus?: string;
  readonly runtime?: string;
  readonly pidMode?: string;
  readonly ipcMode?: string;
  readonly utsMode?: string;
  readonly usernsMode?: string;
  readonly cgroupnsMode?: string;
  readonly cgroupParent?: string;
}

const text = z.string().min(1).exactOptional();
const texts = z.array(z.string()).exactOptional();
const map = z.record(z.string(), z.string()).exactOptional();
const flag = z.boolean().exactOptional();
const amount = z.number().positive().exactOptional();
const limit = z.int().min(-1).exactOptional();

/** Reads {@link RunOptions}. Whatever is not in it cannot be honoured, so it is not taken. */
export const runOptionsSchema: z.ZodType<RunOptions> = z.strictObject({
  user: text,
  workdir: text,
  init: flag,
  tty: flag,
  healthcheck: z
    .strictObject({
      test: z.union([z.array(z.string()), z.literal('image'), z.literal('none')]),
      intervalMs: z.number().min(0),
      timeoutMs: z.number().min(0),
      retries: z.number().min(0),
      startPeriodMs: z.number().min(0),
    })
    .exactOptional(),
  hostname: text,
  platform: text,
  memory: amount,
  cpus: amount,
  shmSize: amount,
  tmpfs: map,
  ulimits: z.array(z.strictObject({ name: z.string(), soft: z.number(), hard: z.number() })).exactOptional(),
  capAdd: texts,
  capDrop: texts,
  privileged: flag,
  extraHosts: texts,
  pidsLimit: limit,
  memoryReservation: amount,
  memorySwap: limit,
  cpuShares: amount,
  cpusetCpus: text,
  readOnly: flag,
  groupAdd: texts,
  stopSignal: text,
  dns: texts,
  dnsSearch: texts,
  labels: map,
  devices: z.array(z.strictObject({ source: z.string(), target: z.string(), permissions: z.string() })).exactOptional(),
  securityOpt: texts,
  sysctls: map,
  gpus: text,
  runtime: text,
  pidMode: text,
  ipcMode: text,
  utsMode: text,
  usernsMode: text,
  cgroupnsMode: text,
  cgroupParent: text,
});

/**
 * Reads the options of a container.
 *
 * @throws BackendError `unsupported` with all that cannot be honoured.
 */
export function readRunOptions(options: ContainerSpec['options'], container: string): RunOptions {
  const read = runOptionsSchema.safeParse(options);
  if (read.success) return read.data;
  const problems = read.error.issues.map(
    ({ path, message }) => `${path.map(String).join('.') || 'options'}: ${message}`,
  );
  throw new BackendError(
    'unsupported',
    `expected options that an engine takes, found in ${container}: ${problems.join('; ')}`,
    {
      resource: container,
      unmet: problems,
      hint: 'leave them out of "options"',
    },
  );
}

/** The part of the options that an engine keeps with a container, and the part that is about its machine. */
export interface EngineOptions {
  readonly config: ContainerCreateOptions;
  readonly host: HostConfig;
}

/** Options in the words of the engine. What is not set is left to the engine. */
export function engineOptions(options: RunOptions): EngineOptions {
  const { memory, cpus, pidsLimit, tmpfs, ulimits, devices, gpus } = options;
  const config: ContainerCreateOptions = {
    User: options.user,
    WorkingDir: options.workdir,
    Tty: options.tty,
    Hostname: options.hostname,
    StopSignal: options.stopSignal,
    Healthcheck: options.healthcheck === undefined ? undefined : engineHealthcheck(options.healthcheck),
  };
  const host: HostConfig = {
    Init: options.init,
    Memory: memory,
    // Swap on top would be more memory than the limit says.
    MemorySwap: options.memorySwap ?? memory,
    MemoryReservation: options.memoryReservation,
    NanoCpus: cpus === undefined ? undefined : Math.round(cpus * 1e9),
    CpuShares: options.cpuShares,
    CpusetCpus: options.cpusetCpus,
    PidsLimit: pidsLimit,
    ShmSize: options.shmSize,
    Tmpfs: tmpfs === undefined ? undefined : { ...tmpfs },
    Ulimits: ulimits?.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
    CapAdd: options.capAdd,
    CapDrop: options.capDrop,
    Privileged: options.privileged,
    ExtraHosts: options.extraHosts,
    ReadonlyRootfs: options.readOnly,
    GroupAdd: options.groupAdd === undefined ? undefined : [...options.groupAdd],
    Dns: options.dns === undefined ? undefined : [...options.dns],
    DnsSearch: options.dnsSearch === undefined ? undefined : [...options.dnsSearch],
    Devices: devices?.map(({ source, target, permissions }) => ({
      PathOnHost: source,
      PathInContainer: target,
      CgroupPermissions: permissions,
    })),
    SecurityOpt: options.securityOpt,
    Sysctls: options.sysctls === undefined ? undefined : { ...options.sysctls },
    DeviceRequests: gpus === undefined ? undefined : [gpuRequest(gpus)],
    Runtime: options.runtime,
    PidMode: options.pidMode,
    IpcMode: options.ipcMode,
    UTSMode: options.utsMode,
    UsernsMode: options.usernsMode,
    CgroupParent: options.cgroupParent,
    ...(options.cgroupnsMode === undefined ? {} : { CgroupnsMode: options.cgroupnsMode }),
  };
  return { config: defined(config), host: defined(host) };
}

/** The check of an image stays with an empty test, of which only the times are replaced. */
export function engineHealthcheck(check: Healthcheck): NonNullable<ContainerCreateOptions['Healthcheck']> {
  if (check.test === 'none') return { Test: ['NONE'] };
  return {
    Test: check.test === 'image' ? [] : [...check.test],
    // Nanoseconds; 0 is the default of the engine.
    Interval: check.intervalMs * 1e6,
    Timeout: check.timeoutMs * 1e6,
    StartPeriod: check.startPeriodMs * 1e6,
    Retries: check.retries,
  };
}

/** As `docker run --gpus` has it: `all`, a number, or `device=0,1`. */
function gpuRequest(gpus: string): NonNullable<HostConfig['DeviceRequests']>[number] {
  const base = { Driver: '', Capabilities: [['gpu']] };
  if (gpus === 'all') return { ...base, Count: -1 };
  if (/^\d+$/.test(gpus)) return { ...base, Count: Number(gpus) };
  return {
    ...base,
    DeviceIDs: gpus
      .replace(/^"?device=/, '')
      .replace(/"$/, '')
      .split(','),
  };
}

/** Engines of some versions take null for a value. */
function defined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as T;
}
