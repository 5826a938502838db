import { type ContainerSpec, type ExecutionEnvironment, type JobPlan, unmet } from '@forgejo-runner/core';
import type { Gate } from './check.ts';
import { expectRejection, expectThat } from './expectations.ts';
import type { Stage } from './stage.ts';
import { type ExecOver, ended } from './workplace.ts';

/** A specification of a container with everything at its default. */
export const plainSpec: ContainerSpec = { image: 'none', pull: 'missing', env: {}, mounts: [], ports: [], options: {} };

/** For the checks of `exec.stdin`. */
export const stdin: Gate = execGate('stdin', () => ({ stdin: nothingIn() }));

/** For the checks of `exec.tty`. */
export const tty: Gate = execGate('tty', () => ({ tty: { columns: 80, rows: 24 } }));

/** For the checks of `exec.user`. */
export const user: Gate = execGate('user', ({ options }) => ({ user: options.user?.name ?? 'nobody' }));

/** For the checks of `exec.signals`. */
export const signals: Gate = {
  name: 'exec.signals',
  isClaimed: ({ exec }) => exec.signals,
  proveRefusal: async (stage) => {
    const { handle } = (await stage.workplace()).start(['true']);
    await handle.result;
    expectThat(handle.signal === undefined, 'exec.signals is not claimed: expected no method "signal", found one');
  },
};

/** For the checks of `files.ownership`. */
export const ownership: Gate = {
  name: 'files.ownership',
  isClaimed: ({ files }) => files.ownership,
  proveRefusal: async (stage) => {
    const { target, info } = await stage.workplace();
    const tar = nothingIn();
    const copying = target.copyIn({ dest: info.paths.workspace, tar, owner: 'keep' }, stage.context());
    await expectRejection(copying, ['unsupported'], 'files.ownership is not claimed: copyIn with owner "keep"');
  },
};

/** For the checks of `files.shared`. */
export const shared: Gate = {
  name: 'files.shared',
  isClaimed: ({ files }) => files.shared,
  proveRefusal: async (stage) => {
    const { target } = await stage.workplace();
    expectThat(
      target.sharedPath === undefined,
      'files.shared is not claimed: expected no method "sharedPath", found one',
    );
  },
};

/** For the checks of `recover`. */
export const recover: Gate = {
  name: 'recover',
  isClaimed: (capabilities) => capabilities.recover,
  proveRefusal: async ({ backend }) => {
    expectThat(backend.recover === undefined, 'recover is not claimed: expected no method "recover", found one');
  },
};

/** For the checks of `exec.resume`, which a target cannot be asked to refuse: it only shows when a connection drops. */
export const resume: Gate = {
  name: 'exec.resume',
  isClaimed: ({ exec }) => exec.resume,
};

/** For the checks of isolation. */
export const isolation: Gate = {
  name: 'isolation',
  isClaimed: (capabilities) => capabilities.isolation !== 'none',
};

/** A kind of containers, and what a job looks like that needs it. */
interface ContainerKind {
  readonly kind: 'job' | 'services' | 'steps' | 'build';
  readonly method: Extract<keyof ExecutionEnvironment, string>;
  readonly plan: JobPlan;
  readonly step?: 'run' | 'build';
}

const nothing: JobPlan = { services: [], stepContainers: 'none' };
const noCheck = { test: 'none', intervalMs: 0, timeoutMs: 0, retries: 0, startPeriodMs: 0 } as const;

/** For the checks of `container:`. */
export const job: Gate = containerGate({
  kind: 'job',
  method: 'createJobContainer',
  plan: { ...nothing, jobContainer: { ...plainSpec, kind: 'job' } },
});

/** For the checks of `services:`. */
export const services: Gate = containerGate({
  kind: 'services',
  method: 'createServiceContainer',
  plan: {
    ...nothing,
    services: [{ ...plainSpec, kind: 'service', id: 'db', aliases: ['db'], healthcheck: noCheck }],
  },
});

/** For the checks of containers of steps. */
export const steps: Gate = containerGate({
  kind: 'steps',
  method: 'createStepContainer',
  plan: { ...nothing, stepContainers: 'run' },
  step: 'run',
});

/** For the checks of images that are built. */
export const build: Gate = containerGate({
  kind: 'build',
  method: 'buildImage',
  plan: { ...nothing, stepContainers: 'build' },
  step: 'build',
});

/** For what only containers that the backend makes itself can show. */
export const native: Gate = {
  ...job,
  name: 'native containers',
  isClaimed: ({ containers }) => containers.via === 'native' && containers.job,
};

/** For the checks of endpoints that environments hand out. */
export const endpoint: Gate = {
  name: 'containers: docker-endpoint',
  isClaimed: ({ containers }) => containers.via === 'docker-endpoint',
  proveRefusal: async (stage) => {
    const { environment } = await stage.workplace();
    expectThat(
      environment.dockerEndpoint === undefined,
      'no endpoint is claimed: expected no method "dockerEndpoint", found one',
    );
  },
};

/** An archive without entries. */
async function* nothingIn(): AsyncGenerator<Uint8Array> {
  yield Buffer.alloc(1024);
}

function execGate(name: 'stdin' | 'tty' | 'user', ask: (stage: Stage) => ExecOver): Gate {
  return {
    name: `exec.${name}`,
    isClaimed: ({ exec }) => exec[name],
    proveRefusal: async (stage) => {
      const started = (await stage.workplace()).start(['true'], ask(stage));
      await expectRejection(ended(started), ['unsupported'], `exec.${name} is not claimed: an exec that asks for it`);
    },
  };
}

function containerGate({ kind, method, plan, step }: ContainerKind): Gate {
  return {
    name: kind === 'build' ? 'containers: build' : `containers: ${kind}`,
    isClaimed: ({ containers }) =>
      containers.via === 'docker-endpoint' || (containers.via === 'native' && containers[kind]),
    proveRefusal: async (stage) => {
      const { containers } = stage.capabilities;
      const needs = { plan, steps: step === undefined ? [] : [{ where: 'step 1', needs: step }], stepFields: [] };
      const missing = unmet(needs, containers);
      expectThat(
        missing.length > 0,
        `containers of kind "${kind}" are not claimed: expected the runner to refuse them`,
      );
      const environment = await stage.createEnvironment();
      expectThat(
        environment[method] === undefined,
        `containers of kind "${kind}" are not claimed: expected no method "${method}", found one`,
      );
    },
  };
}
