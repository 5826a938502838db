import type { DockerEndpointDescriptor } from '@forgejo-runner/core';
import type Docker from 'dockerode';

/** What an engine said of itself, asked once. */
export interface EngineFacts {
  readonly kind: 'docker' | 'podman';
  readonly version: string;
  /** Highest API version that both sides speak, such as `1.41`. */
  readonly apiVersion: string;
  /** As images spell it: `linux`, `windows`. */
  readonly os: string;
  /** As images spell it: `amd64`, `arm64`. */
  readonly arch: string;
  readonly isRootless: boolean;
  readonly cgroupVersion: '1' | '2';
  readonly cpus: number;
  readonly memoryBytes: number;
}

/** One engine, dialled once. Whoever opened it disposes it; everything that talks to an engine is handed one. */
export interface DockerEndpoint extends AsyncDisposable {
  readonly descriptor: DockerEndpointDescriptor;
  readonly client: Docker;
  readonly facts: EngineFacts;
}
