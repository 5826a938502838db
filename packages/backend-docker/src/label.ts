import type { Capabilities, ContainerField } from '@forgejo-runner/core';
import * as z from 'zod';
import type { EngineFacts } from './driver/endpoint.ts';

/** Options of a label as the schema leaves them. */
export interface DockerLabel {
  readonly image: string;
  readonly platform?: string;
  readonly pull: 'missing' | 'always' | 'never';
}

/** Options of a label. Its argument arrives as `image`. */
export const labelSchema: z.ZodType<DockerLabel> = z.strictObject({
  image: z
    .string()
    .regex(/^[^\s\0]+$/, 'expected the name of an image such as node:22-bookworm')
    // As with the Go runner, so that a label without an argument goes on meaning the same.
    .prefault('node:22-bookworm')
    .describe('Image that jobs without a container of their own run in.'),
  platform: z
    .string()
    .regex(/^[a-z0-9]+\/[a-z0-9_]+(?:\/[a-z0-9]+)?$/, 'expected os/arch such as linux/arm64')
    .exactOptional()
    .describe('Platform of the image. Default: that of the engine.'),
  pull: z
    .enum(['missing', 'always', 'never'], 'expected missing, always or never')
    .prefault('missing')
    .describe('When the image is pulled.'),
});

const everywhere: readonly ContainerField[] = [
  'env',
  'ports',
  'volumes',
  'credentials',
  'entrypoint',
  'cmd',
  'user',
  'workdir',
  'init',
  'tty',
  'healthcheck',
  'hostname',
  'platform',
  'shmSize',
  'tmpfs',
  'ulimits',
  'capAdd',
  'capDrop',
  'privileged',
  'extraHosts',
  // Not words of the contract: what docker run has beside them.
  'readOnly',
  'groupAdd',
  'stopSignal',
  'dns',
  'dnsSearch',
  'labels',
  'devices',
  'securityOpt',
  'sysctls',
  'gpus',
  'runtime',
  'pidMode',
  'ipcMode',
  'utsMode',
  'usernsMode',
  'cgroupnsMode',
  'cgroupParent',
];
const limits: readonly ContainerField[] = [
  'memory',
  'cpus',
  'pidsLimit',
  'memoryReservation',
  'memorySwap',
  'cpuShares',
  'cpusetCpus',
];

/** The fields of a container that any engine honours. */
export const driverFields: readonly ContainerField[] = [...everywhere, ...limits];

/** What every label can do on one engine. */
export function dockerCapabilities(facts: EngineFacts): Capabilities {
  // Without root an engine may set limits only where systemd hands it a part of the new control groups.
  const fields = facts.isRootless && facts.cgroupVersion === '1' ? everywhere : driverFields;
  return {
    containers: { via: 'native', job: true, services: true, steps: true, build: true, fields },
    exec: { stdin: true, tty: true, user: true, signals: true, resume: false },
    files: { ownership: true, shared: false },
    isolation: 'container',
    recover: false,
    features: [],
  };
}
