import type { Str } from './open-union.ts';

/** A field of a container's specification that a backend may or may not honour. */
export type ContainerField = Str<
  | 'env'
  | 'ports'
  | 'volumes'
  | 'credentials'
  | 'entrypoint'
  | 'cmd'
  | 'user'
  | 'workdir'
  | 'init'
  | 'tty'
  | 'healthcheck'
  | 'hostname'
  | 'platform'
  | 'memory'
  | 'cpus'
  | 'shmSize'
  | 'tmpfs'
  | 'ulimits'
  | 'capAdd'
  | 'capDrop'
  | 'privileged'
  | 'extraHosts'
>;

/**
 * How containers of a job come about.
 *
 * - `none`: not at all; a job that needs one is refused before anything starts.
 * - `docker-endpoint`: the environment hands out an endpoint and the runner's Docker driver works there.
 * - `native`: the backend makes those kinds that are `true`, honouring the listed fields and no other.
 */
export type ContainerSupport =
  | { readonly via: 'none' }
  | { readonly via: 'docker-endpoint' }
  | {
      readonly via: 'native';
      readonly job: boolean;
      readonly services: boolean;
      readonly steps: boolean;
      readonly build: boolean;
      readonly fields: readonly ContainerField[];
    };

/**
 * What one resolved label can do. The runner compares a job with it before it calls the backend, and refuses the job
 * when something is missing. A method exists if and only if its capability says so.
 */
export interface Capabilities {
  readonly containers: ContainerSupport;
  readonly exec: {
    readonly stdin: boolean;
    readonly tty: boolean;
    readonly user: boolean;
    readonly signals: boolean;
    /** An exec whose connection was lost can be taken up again without losing output. */
    readonly resume: boolean;
  };
  readonly files: {
    /** `copyIn` with `owner: 'keep'` keeps user and group ids. */
    readonly ownership: boolean;
    /** `sharedPath` gives the runner a path to the same bytes. */
    readonly shared: boolean;
  };
  readonly isolation: Str<'none' | 'container' | 'vm'>;
  /** `Backend.recover` exists. */
  readonly recover: boolean;
  /** Additions of the backend's own, such as `acme.gpu`. They inform and never gate. */
  readonly features: readonly string[];
}
