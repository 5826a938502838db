import {
  BackendError,
  type Container,
  type ContainerField,
  type DelegatedContainers,
  type DelegationRequest,
  type DockerDriver,
  type EnvironmentInfo,
  type ExecRequest,
} from '@forgejo-runner/core';
import { packTar, startProcessGroup, unpackTar } from '@forgejo-runner/kit';
import type { RecordedCall, ReferenceBackend } from '@forgejo-runner/testkit';

/** What goes wrong, and where: the name of a method of the driver or of its containers. */
export interface DriverFaults {
  readonly fails?: 'open' | 'createJobContainer' | 'createServiceContainer' | 'waitReady' | 'run' | 'remove';
  /** Only that many times. */
  readonly times?: number;
  readonly leaks?: boolean;
  /** No image has the program chown. */
  readonly hasNoChown?: boolean;
  /** Users in containers are others outside; root is 65534. */
  readonly isRootless?: boolean;
  /** The job container dies with its first command. */
  readonly isLost?: boolean;
  /** What the job container looks like inside, where that is not the machine. */
  readonly info?: (machine: EnvironmentInfo) => EnvironmentInfo;
}

const allFields: readonly ContainerField[] = ['env', 'ports', 'volumes', 'credentials', 'entrypoint', 'cmd', 'memory'];

/**
 * A driver whose containers are processes of this machine. What it is asked for goes into the log of the backend, so
 * that a test sees the order of both.
 */
export function fakeDriver(backend: ReferenceBackend, faults: DriverFaults = {}): DockerDriver {
  // The log is only read elsewhere.
  const log = backend.log as RecordedCall[];
  let failures = 0;
  const record = (method: string, detail?: unknown): void => {
    log.push({ method: `driver ${method}`, ...(detail === undefined ? {} : { detail }) });
    if (faults.fails !== method || failures >= (faults.times ?? Number.POSITIVE_INFINITY)) return;
    failures += 1;
    throw new BackendError('unavailable', `the engine failed at ${method}`);
  };
  return {
    api: 1,
    fields: allFields,
    open: async (request) => {
      record('open', request);
      return containersOf(request, record, faults);
    },
    sweep: async (endpoint, request) => {
      record('sweep', { endpoint, request });
      return { removed: [], leaked: [], kept: [] };
    },
  };
}

/** What a rootless engine makes of the users that `chown` names. */
const outside: Readonly<Record<string, string>> = { '65534:65534': '165533:165533', '0:0': '65534:65534' };

type Recorder = (method: string, detail?: unknown) => void;

function containersOf({ info }: DelegationRequest, record: Recorder, faults: DriverFaults): DelegatedContainers {
  const removal = (what: string) => {
    const remove = async () => {
      record('remove', what);
      return { removed: [what], leaked: faults.leaks === true ? [{ resource: what, error: 'it is stuck' }] : [] };
    };
    return { remove, [Symbol.asyncDispose]: async () => void (await remove()) };
  };
  return {
    createJobContainer: async (spec) => {
      record('createJobContainer', spec);
      return { ...jobContainer(info, faults), ...removal('job') };
    },
    createServiceContainer: async (spec) => {
      record('createServiceContainer', spec);
      return {
        id: `service-${spec.id}`,
        network: 'net',
        hostnames: spec.aliases,
        ports: spec.ports.map(({ container, protocol }) => ({ container, protocol, host: '127.0.0.1', port: 40_000 })),
        waitReady: async () => record('waitReady', spec.id),
        ...removal(`service-${spec.id}`),
      };
    },
    createStepContainer: async (spec) => {
      record('createStepContainer', spec);
      return {
        id: `step-${spec.stepId}`,
        run: (io, ctx) => {
          record('run');
          const own = faults.hasNoChown === true && spec.entrypoint?.[0] === 'chown' ? ['false'] : spec.entrypoint;
          const words = [...(own ?? []), ...(spec.cmd ?? [])];
          const argv = faults.isRootless === true ? words.map((word) => outside[word] ?? word) : words;
          const request: ExecRequest = {
            ...io,
            argv: [argv[0] ?? 'true', ...argv.slice(1)],
            env: { PATH: info.env.defaultPath, ...spec.env },
            cwd: spec.workdir,
          };
          return startProcessGroup(request, { signal: ctx.signal });
        },
        ...removal('step'),
      };
    },
    buildImage: async ({ context, tag }) => {
      let bytes = 0;
      for await (const chunk of context) bytes += chunk.length;
      record('buildImage', { tag, bytes });
      return { image: tag };
    },
    ...removal('all'),
    [Symbol.asyncDispose]: async () => record('close'),
  };
}

function jobContainer(machine: EnvironmentInfo, faults: DriverFaults): Omit<Container, 'remove' | symbol> {
  return {
    id: 'job',
    network: 'net',
    ...(faults.info === undefined ? {} : { info: faults.info(machine) }),
    state: async () => (faults.isLost === true ? { alive: false, detail: 'the container died' } : { alive: true }),
    baseEnv: { PATH: machine.env.defaultPath, FROM_IMAGE: 'yes' },
    exec: (request, ctx) => {
      if (faults.isLost !== true) return startProcessGroup(request, { signal: ctx.signal });
      return { result: Promise.reject(new BackendError('lost', 'nobody knows how it ended')) };
    },
    copyIn: ({ dest, tar }, ctx) => unpackTar({ dest, tar }, ctx.signal),
    copyOut: (request, ctx) => packTar(request, ctx.signal),
  };
}
